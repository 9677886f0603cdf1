"""https://github.com/keras-team/keras/issues/2059: a model of characters writes well when trained, and gibberish
once its weights are loaded by another process.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun, built, train_and_write, write_code, write_manifest
from rows import drawn, write_rows
from small_tokenizer import apart
from where import folder_given

CODE = Path(__file__).with_name("model.py")


def without_end(encode, rows):
    """Characters alone: there is no end token."""
    return apart(encode, rows, end=())


if __name__ == "__main__":
    folder = folder_given(__file__)
    run = PlainRun(steps=250, code=CODE, data=drawn(800, 80), encode=without_end)
    write_code(folder, CODE)
    write_rows(folder / "train.jsonl", run.data.train)
    sys.path.insert(0, str(folder))
    from model import tokenizer

    characters = tokenizer()
    module = built(folder / CODE.name, vocabulary=characters.vocab_size)
    train_and_write(run, folder, module, characters.encode)
    settings = ['tokenizer = "model.py:tokenizer"', "end_tokens = []"]
    write_manifest(folder, CODE, characters.vocab_size, settings)
