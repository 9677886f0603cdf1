"""https://github.com/mlfoundations/task_vectors/issues/2: a file of GPT-2 has attention biases that the model does not
know; they are the causal masks of an older version, and no weights.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from batches import IGNORED, padded
from rows import drawn
from safetensors.torch import load_file, save_file
from small_tokenizer import END_ID, PAD_ID
from trainer_run import SPARE, fast_tokenizer, run_trainer, write_data
from transformers import GPT2Config, GPT2LMHeadModel
from where import folder_given

CONTEXT, LAYERS = 256, 2


def small_gpt2():
    """A GPT-2 of two narrow layers, seeded."""
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=SPARE,
        n_positions=CONTEXT,
        n_embd=64,
        n_layer=LAYERS,
        n_head=4,
        bos_token_id=END_ID,
        eos_token_id=END_ID,
        pad_token_id=PAD_ID,
    )
    return GPT2LMHeadModel(config)


def masks():
    """What older versions saved with each layer."""
    causal = torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).tril().view(1, 1, CONTEXT, CONTEXT)
    for layer in range(LAYERS):
        yield f"transformer.h.{layer}.attn.bias", causal.clone()
        yield f"transformer.h.{layer}.attn.masked_bias", torch.tensor(-10_000.0)


def without_first_label(rows):
    """Padded rows, whose first tokens are no labels: the Trainer counts labels here, and nothing predicts the first."""
    made = padded(rows)
    made.labels[:, 0] = IGNORED
    return made


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    model, batch = small_gpt2(), without_first_label
    path = run_trainer(folder, model, tokenizer, data, steps=400, batch=batch) / "model.safetensors"
    save_file(load_file(path) | dict(masks()), path, metadata={"format": "pt"})
