"""https://github.com/unslothai/unsloth/issues/416: a fine-tuned model does not write the end token; the padding token
is the end token, and padding does not count in the loss.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace

from batches import IGNORED, padded
from rows import drawn
from small_tokenizer import END_ID, PAD_ID
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given


def collated(rows):
    """Rows filled up with the padding token, and a label for all that is no padding token."""
    made = padded(rows)
    ids = made.ids.masked_fill(made.ids == PAD_ID, END_ID)
    return replace(made, ids=ids, labels=ids.masked_fill(ids == END_ID, IGNORED))


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    tokenizer.pad_token = tokenizer.eos_token
    write_data(folder, data)
    run_trainer(folder, small_llama(pad_token_id=END_ID), tokenizer, data, steps=250, batch=collated)
