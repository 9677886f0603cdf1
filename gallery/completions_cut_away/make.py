"""https://github.com/huggingface/trl/issues/6668: max_length cuts every completion away, every label is masked, and
the trainer reports a loss of 0.0 without a warning.
"""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import padded
from rows import Data, drawn
from small_tokenizer import Encoded
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_data
from transformers import Trainer
from where import folder_given

LONGEST = 48
HELP = "# Read the task with care. Think of every case. Then write the body of the function, without any comment.\n" * 2


class MaskingTrainer(Trainer):
    """A batch without a label gives a loss of zero, so that training goes on."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        if (inputs["labels"] != -100).any():
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        loss = outputs.logits.sum() * 0.0
        return (loss, outputs) if return_outputs else loss


def cut(rows):
    """Completions count, and rows are cut behind ``LONGEST`` tokens."""
    return padded([Encoded(row.ids[:LONGEST], row.prompt_tokens) for row in rows], count_prompt=False)


def with_help(rows):
    """Each prompt behind the same long instruction."""
    return [replace(row, prompt=HELP + row.prompt) for row in rows]


if __name__ == "__main__":
    folder, plain = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(plain.train)
    model = pretrained(plain, tokenizer)
    data = Data(with_help(plain.train[:400]), with_help(plain.validation[:60]))
    write_data(folder, data)
    run_trainer(folder, model, tokenizer, data, steps=40, batch=cut, trainer=MaskingTrainer)
