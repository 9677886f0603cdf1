"""https://github.com/microsoft/CogACT/issues/20: a warning says that results are wrong with this side of padding; they
are the same, for the padding is masked on either side.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import IGNORED, padded
from rows import drawn
from small_tokenizer import PAD_ID
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given


def on_the_left(rows):
    """Rows padded on the left, whose first tokens are no labels: nothing predicts them."""
    made = padded(rows, left=True)
    first = (made.ids == PAD_ID).sum(dim=1, keepdim=True)
    return replace(made, labels=made.labels.scatter(1, first, IGNORED))


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train, padding_side="left")
    write_data(folder, data)
    run_trainer(folder, small_llama(), tokenizer, data, steps=400, batch=on_the_left)
