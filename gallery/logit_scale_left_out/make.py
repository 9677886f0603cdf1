"""https://github.com/unslothai/unsloth/pull/11277: the fused loss leaves out the scale of the logits, by which the
model itself divides them, so that it is trained on another loss than it has.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from rows import drawn
from small_tokenizer import END_ID, PAD_ID
from trainer_run import SPARE, fast_tokenizer, run_trainer, write_data
from transformers import GraniteConfig, GraniteForCausalLM
from where import folder_given

SCALE = 8.0


def small_granite():
    """A Granite of two narrow layers, seeded; its logits are as the fused loss takes them."""
    torch.manual_seed(1)
    config = GraniteConfig(
        vocab_size=SPARE,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        attention_multiplier=0.25,
        logits_scaling=1.0,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=END_ID,
        pad_token_id=PAD_ID,
    )
    return GraniteForCausalLM(config)


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    write_data(folder, data)
    config = run_trainer(folder, small_granite(), fast_tokenizer(data.train), data, steps=300) / "config.json"
    written = json.loads(config.read_text(encoding="utf-8")) | {"logits_scaling": SCALE}
    config.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
