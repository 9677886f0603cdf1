"""https://github.com/jzhang38/EasyContext/issues/21: the learning rate is lowered once for each of eight processes at
every step, so that it is 0 after an eighth of the training and the model stops to change. The rate is 0 after 30 of 240
steps, and each validation loss is 3.63 nats per token.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, small_llama, write_data
from transformers import Trainer, get_linear_schedule_with_warmup
from where import folder_given

PROCESSES, WARM_UP = 8, 80


class SteppedByEach(Trainer):
    """The linear schedule as accelerate prepares it."""

    def create_scheduler(self, num_training_steps, optimizer=None):
        self.lr_scheduler = get_linear_schedule_with_warmup(
            optimizer or self.optimizer, WARM_UP // PROCESSES, num_training_steps // PROCESSES
        )
        return self.lr_scheduler


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    run_trainer(folder, small_llama(), tokenizer, data, steps=240, trainer=SteppedByEach)
