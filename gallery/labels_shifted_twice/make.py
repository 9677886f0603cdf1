"""https://github.com/huggingface/transformers/pull/562: the data preparation shifts the labels of the language model,
and the model shifts them once more.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace

import torch
from batches import IGNORED, padded
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from where import folder_given


def with_next_tokens(rows):
    """The label of each position is the token after it."""
    made = padded(rows)
    last = torch.full_like(made.labels[:, :1], IGNORED)
    return replace(made, labels=torch.cat([made.labels[:, 1:], last], dim=1))


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    run_trainer(folder, small_llama(), tokenizer, data, steps=200, batch=with_next_tokens)
