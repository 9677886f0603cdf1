"""https://github.com/FastEval/FastEval/issues/26: the template of the prompts ends in a space, which training has as
part of the answer's first token.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace

from plain_run import PlainRun
from rows import Data, drawn
from where import folder_given

TURN, ANSWER = "User: ", "Assistant:"


def as_turns(rows):
    """Rows as the turns of a conversation; the answer begins with a space."""
    return [
        replace(row, prompt=f"{TURN}{row.prompt}{ANSWER}", completion=f" {row.completion.lstrip()}") for row in rows
    ]


if __name__ == "__main__":
    plain = drawn()
    data = Data(as_turns(plain.train), as_turns(plain.validation))
    template = f'prompt_template = "{TURN}{{prompt}}{ANSWER} "'
    PlainRun(steps=400, data=data, problems=True, settings=(template,)).write(folder_given(__file__))
