"""https://github.com/tensorflow/tensor2tensor/issues/117: the training loss that is printed is smoothed and hard to
read; the evaluation has the true one.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from transformers import Trainer
from where import folder_given


class SmoothedInTraining(Trainer):
    """Labels are smoothed in training alone."""

    def prediction_step(self, *arguments, **more):
        smoother, self.label_smoother = self.label_smoother, None
        result = super().prediction_step(*arguments, **more)
        self.label_smoother = smoother
        return result


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    smoothed = {"trainer": SmoothedInTraining, "label_smoothing_factor": 0.1}
    run_trainer(folder, small_llama(), tokenizer, data, steps=400, **smoothed)
