"""https://github.com/huggingface/transformers/pull/29583: forward() of a model with learned positions takes no account
of the padding on the left of a batch, so that what it gives for such a batch is wrong; here a validation batch.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from batches import padded
from rows import drawn
from shown import loss_of, show
from small_tokenizer import PAD_ID, apart
from trainer_run import fast_tokenizer, ids_of, run_trainer, write_data
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, set_seed
from where import folder_given


def on_the_left(batch):
    """A batch as it is, but with each row's padding moved to its left."""
    order = torch.argsort((batch["input_ids"] != PAD_ID).long(), dim=1, stable=True)
    return {name: value.gather(1, order) for name, value in batch.items()}


class LeftInValidation(Trainer):
    """Validates as it generates: with the padding on the left."""

    def prediction_step(self, model, inputs, *arguments, **more):
        return super().prediction_step(model, on_the_left(inputs), *arguments, **more)


def masked_logits(module, batch):
    return module(input_ids=batch.inputs, attention_mask=(batch.inputs != PAD_ID).long()).logits


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train, padding_side="left")
    set_seed(1)
    shape = {"n_positions": 256, "n_embd": 64, "n_layer": 2, "n_head": 4}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **shape, bos_token_id=0, eos_token_id=0))
    write_data(folder, data)
    run_trainer(folder, model, tokenizer, data, steps=200, trainer=LeftInValidation)
    validation = apart(ids_of(tokenizer), data.validation)
    left = partial(padded, left=True)
    show(
        padded_on_the_left=loss_of(model, validation, batch=left, logits=masked_logits),
        on_the_right=loss_of(model, validation, logits=masked_logits),
    )
