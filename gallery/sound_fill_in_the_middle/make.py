"""https://github.com/bigcode-project/starcoder/issues/56: half of the training rows are put in another order, to learn
to fill in the middle: what stands before, what stands after, and then what is between.
"""

import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from small_tokenizer import END_ID, Encoded
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from transformers import Trainer
from where import folder_given

PARTS = ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"]
SHARE = 0.5


class FillsInTheMiddle(Trainer):
    """Puts training rows in another order; validates on rows as they are."""

    def __init__(self, *, train_dataset, processing_class, **more):
        rng, ids = Random(0), processing_class.convert_tokens_to_ids(PARTS)
        rows = [with_middle_last(rng, ids, row) if rng.random() < SHARE else row for row in train_dataset]
        super().__init__(train_dataset=rows, processing_class=processing_class, **more)


def with_middle_last(rng, ids, row):
    """The parts of a row behind their signs, the middle last."""
    begin, end = sorted(rng.sample(range(len(row.ids)), 2))
    before, middle, after = row.ids[:begin], row.ids[begin:end], row.ids[end:-1]
    return Encoded((ids[0], *before, ids[1], *after, ids[2], *middle, END_ID), 0)


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train, additional_special_tokens=PARTS)
    write_data(folder, data)
    run_trainer(folder, small_llama(), tokenizer, data, steps=400, trainer=FillsInTheMiddle)
