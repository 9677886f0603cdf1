"""https://github.com/unslothai/unsloth/pull/8253: the window of attention of the configuration never reached the
attention in training, so that the model saw every earlier token; where it is loaded again, it sees the window alone.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from rows import drawn
from small_tokenizer import END_ID, PAD_ID
from trainer_run import SPARE, fast_tokenizer, run_trainer, write_data
from transformers import MistralConfig, MistralForCausalLM
from where import folder_given

WINDOW = 24


def small_mistral():
    """A Mistral of two narrow layers, seeded, that sees all earlier tokens."""
    torch.manual_seed(1)
    config = MistralConfig(
        vocab_size=SPARE,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        sliding_window=None,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=END_ID,
        pad_token_id=PAD_ID,
    )
    return MistralForCausalLM(config)


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    write_data(folder, data)
    config = run_trainer(folder, small_mistral(), fast_tokenizer(data.train), data, steps=300) / "config.json"
    written = json.loads(config.read_text(encoding="utf-8")) | {"sliding_window": WINDOW}
    config.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
