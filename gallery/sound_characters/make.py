"""https://github.com/flairNLP/flair/issues/714: the perplexity is suspiciously low, 4 to 5; the model predicts
characters.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plain_run import PlainRun
from rows import Data, drawn
from small_tokenizer import trained_tokenizer
from where import folder_given

BYTES = 258


def short(rows):
    """Rows whose characters fit into the context."""
    return [row for row in rows if len(row.prompt + row.completion) < 200]


if __name__ == "__main__":
    plain = drawn()
    data = Data(short(plain.train), short(plain.validation))
    run = PlainRun(steps=350, data=data, tokenizer=trained_tokenizer(data.train, size=BYTES))
    run.write(folder_given(__file__))
