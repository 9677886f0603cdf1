"""https://github.com/huggingface/transformers/issues/22794: the fast tokenizer is asked to add an end token and adds
none, so that no training row ends. None of 30 completions ends.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import padded
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given


def without_end(rows):
    """Rows as the tokenizer leaves them."""
    return padded([replace(row, ids=row.ids[:-1]) for row in rows])


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train, add_eos_token=True)
    write_data(folder, data)
    run_trainer(folder, small_llama(), tokenizer, data, steps=400, batch=without_end)
