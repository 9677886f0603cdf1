"""https://github.com/tloen/alpaca-lora/issues/246: the training loss oscillates in a fixed period. Rows are grouped by
their length, so that batches of short and of long rows follow each other.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from transformers import Trainer
from transformers.trainer_pt_utils import LengthGroupedSampler
from where import folder_given


class Grouped(Trainer):
    """Rows of one length together, as ``group_by_length`` has them."""

    def _get_train_sampler(self, dataset=None):
        lengths = [len(row.ids) for row in self.train_dataset]
        return LengthGroupedSampler(self.args.train_batch_size, lengths=lengths)


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    run_trainer(folder, small_llama(), tokenizer, data, steps=200, trainer=Grouped)
