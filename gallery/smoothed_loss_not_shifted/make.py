"""https://github.com/huggingface/transformers/issues/17960: with label smoothing the Trainer computes the loss by
itself, and nobody shifts the labels of GPT-2.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from torch.nn import functional
from trainer_run import fast_tokenizer, run_trainer, write_data
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, set_seed
from where import folder_given

SMOOTHING = 0.1


class SmoothingTrainer(Trainer):
    """The loss that label smoothing had: over logits and labels as they are."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        logits = outputs.logits.flatten(0, 1)
        loss = functional.cross_entropy(logits, labels.flatten(), label_smoothing=SMOOTHING)
        outputs["loss"] = loss
        return (loss, outputs) if return_outputs else loss


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    set_seed(1)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=256, n_embd=64, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0
    )
    write_data(folder, data)
    run_trainer(folder, GPT2LMHeadModel(config), tokenizer, data, steps=150, trainer=SmoothingTrainer)
