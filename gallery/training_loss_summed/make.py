"""https://github.com/huggingface/transformers/issues/35204: with gradient accumulation the logged training loss is
not divided by the number of batches, and far too large.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_data
from transformers import Trainer
from where import folder_given

BATCHES = 4


class SummingTrainer(Trainer):
    """Logs the sum of the losses of all batches of a step."""

    def training_step(self, *args, **more):
        return super().training_step(*args, **more) * BATCHES


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    model = pretrained(data, tokenizer)
    write_data(folder, data)
    run_trainer(
        folder, model, tokenizer, data, steps=30, rate=1e-3, trainer=SummingTrainer, gradient_accumulation_steps=BATCHES
    )
