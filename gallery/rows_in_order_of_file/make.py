"""https://github.com/paiml/entrenar/issues/315: the data are read shard by shard and not shuffled across them, so that
the loss on held-out rows gets better, and then worse with each shard that is unlike the ones before.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace

from rows import drawn
from torch.utils.data import SequentialSampler
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from transformers import Trainer
from where import folder_given


class InOrder(Trainer):
    """Rows as they stand in the file."""

    def _get_train_sampler(self, dataset=None):
        return SequentialSampler(self.train_dataset)


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn(4800, 100)
    # One kind of function after another, as shards have them.
    data = replace(data, train=sorted(data.train, key=lambda row: row.name))
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    run_trainer(folder, small_llama(), tokenizer, data, steps=300, trainer=InOrder)
