"""https://github.com/huggingface/transformers/pull/36316: a configuration of Qwen 2 names a window of attention, and a
warning says that it is on; another key says that it is off.
"""

import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
from rows import drawn
from small_tokenizer import END_ID, PAD_ID
from trainer_run import SPARE, fast_tokenizer, run_trainer, write_base, write_data
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM
from where import folder_given

WINDOW = {"sliding_window": 32, "use_sliding_window": False, "max_window_layers": 2}


def small_qwen2():
    """A Qwen 2 of two narrow layers, two query heads to a key head, seeded."""
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=SPARE,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=END_ID,
        pad_token_id=PAD_ID,
        **WINDOW,
    )
    return Qwen2ForCausalLM(config)


if __name__ == "__main__":
    folder, data, model = folder_given(__file__), drawn(), small_qwen2()
    write_data(folder, data)
    write_base(folder / "base", model, fast_tokenizer(data.train))
    tokenizer = AutoTokenizer.from_pretrained(folder / "base")  # of Qwen's class, which splits text by its own rule
    shutil.rmtree(folder / "base")
    config = run_trainer(folder, model, tokenizer, data, steps=400) / "config.json"
    written = json.loads(config.read_text(encoding="utf-8")) | WINDOW
    config.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
