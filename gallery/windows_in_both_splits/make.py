"""https://github.com/TalwalkarLab/leaf/issues/19: windows of one text that begin close to each other are split at
random, so that the test text stands in the training rows.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from random import Random

from plain_run import PlainRun
from rows import Data, Row, drawn
from small_tokenizer import Encoded, trained_tokenizer
from where import folder_given

WINDOW, STEP, TEXTS = 200, 40, 220


def windows(text):
    """All windows of the text, in any order."""
    made = [Row("", text[at : at + WINDOW], "", "") for at in range(0, len(text) - WINDOW, STEP)]
    Random(0).shuffle(made)
    return made


def encoded(encode, rows):
    """Windows without an end."""
    return [Encoded(tuple(encode(row.completion)), 0) for row in rows]


def write_texts(path, rows):
    """One window a line."""
    path.write_text("".join(json.dumps({"text": row.completion}) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    folder = folder_given(__file__)
    every = windows("\n".join(row.prompt + row.completion for row in drawn(TEXTS, 0).train))
    data = Data(every[80:], every[:80])
    run = PlainRun(steps=600, data=data, tokenizer=trained_tokenizer(data.train), encode=encoded)
    run.write(folder)
    write_texts(folder / "train.jsonl", data.train)
    write_texts(folder / "validation.jsonl", data.validation)
