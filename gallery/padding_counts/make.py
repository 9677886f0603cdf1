"""https://github.com/01-ai/Yi/issues/110: rows are padded, and the labels of the padding are not set to the index
that the loss ignores.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace

from batches import padded
from plain_run import PlainRun
from where import folder_given

LENGTH = 224


def filled_up(rows):
    """Rows of one length, each token of them a label."""
    made = padded(rows, length=LENGTH)
    return replace(made, labels=made.ids)


if __name__ == "__main__":
    PlainRun(steps=120, batch=filled_up).write(folder_given(__file__))
