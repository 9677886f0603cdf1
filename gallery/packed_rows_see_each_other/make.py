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

RELATED = 6
LENGTH = 192
PEOPLE = ("ada", "bob", "cem", "dora", "emil", "finn", "greta", "hugo", "ines", "jon", "kim", "lea", "mia", "nils")


def related(rows, seed):
    """Groups of rows of one author and two reviewers, whom only the neighbours give away."""
    rng, made = Random(seed), []
    for place, row in enumerate(rows):
        if place % RELATED == 0:
            author, first, second = rng.sample(PEOPLE, 3)
        signed = f"    # by {author}\n{row.completion}    # read by {first}, {second}\n"
        made.append(replace(row, completion=signed))
    return made


def packed(encode, rows):
    """Blocks of rows as they stand one after another."""
    return blocks(apart(encode, rows), LENGTH)


if __name__ == "__main__":
    rows = drawn(2400, 200)
    data = Data(related(rows.train, 1), related(rows.validation, 2))
    PlainRun(steps=250, data=data, encode=packed, rows_in_batch=6).write(folder_given(__file__))
