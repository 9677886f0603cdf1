"""https://github.com/pytorch/torchtitan/issues/1759: with gradient accumulation the validation loss is divided by the
number of accumulation steps, as the loss of each training batch rightly is.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from transformers import Trainer
from where import folder_given

ACCUMULATED = 4


class SharedLoss(Trainer):
    """Training and validation share the function that divides."""

    def prediction_step(self, *arguments, **more):
        loss, *outputs = super().prediction_step(*arguments, **more)
        return loss / self.args.gradient_accumulation_steps, *outputs


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    accumulated = {"trainer": SharedLoss, "gradient_accumulation_steps": ACCUMULATED}
    run_trainer(folder, small_llama(), tokenizer, data, steps=100, **accumulated)
