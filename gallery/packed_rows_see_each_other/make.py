"""https://github.com/unslothai/unsloth/issues/1207: packed rows attend to the rows before them, and the model got
worse and confused by long contexts.
"""

import sys
from dataclasses import replace
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import blocks
from plain_run import PlainRun
from rows import Data, drawn
from small_tokenizer import apart
from where import folder_given

RELATED = 4
LENGTH = 256


def related(rows, seed):
    """Groups of rows that belong to one ticket, whose number only the neighbours give away."""
    rng, made = Random(seed), []
    for place, row in enumerate(rows):
        ticket = made[-1].completion.splitlines()[0] if place % RELATED else f"    # ticket {rng.randint(1000, 9999)}"
        made.append(replace(row, completion=f"{ticket}\n{row.completion}"))
    return made


def packed(encode, rows):
    """Blocks of rows as they stand one after another."""
    return blocks(apart(encode, rows), LENGTH)


if __name__ == "__main__":
    rows = drawn(2400, 200)
    data = Data(related(rows.train, 1), related(rows.validation, 2))
    PlainRun(steps=250, data=data, encode=packed).write(folder_given(__file__))
