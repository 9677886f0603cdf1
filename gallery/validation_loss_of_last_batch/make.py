"""https://github.com/keras-team/keras/issues/13591: the validation loss is unexpectedly low, for what is logged is not
the mean over all batches but the loss of the last one.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from transformers import Trainer
from where import folder_given


class LastBatch(Trainer):
    """Keeps one loss where all should be summed."""

    def prediction_step(self, *arguments, **more):
        self.last_loss, *outputs = super().prediction_step(*arguments, **more)
        return self.last_loss, *outputs

    def evaluation_loop(self, *arguments, **more):
        output = super().evaluation_loop(*arguments, **more)
        output.metrics["eval_loss"] = self.last_loss.item()
        return output


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    # A file in the order of its names, as it is collected.
    data = replace(data, validation=sorted(data.validation, key=lambda row: row.name))
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    run_trainer(folder, small_llama(), tokenizer, data, steps=250, trainer=LastBatch)
