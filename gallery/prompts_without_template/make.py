"""https://github.com/huggingface/transformers/issues/46531: a model that was tuned on chats is given plain text, and
what it writes collapses into repetition.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace

from plain_run import PlainRun
from rows import Data, drawn
from where import folder_given


def as_chats(rows):
    """Rows as the turns of a conversation."""
    return [replace(row, prompt=f"<user>\nComplete the function.\n{row.prompt}<assistant>\n") for row in rows]


if __name__ == "__main__":
    plain = drawn()
    data = Data(as_chats(plain.train), as_chats(plain.validation))
    PlainRun(steps=400, data=data, problems=True).write(folder_given(__file__))
