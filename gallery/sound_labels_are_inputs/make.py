"""https://github.com/tloen/alpaca-lora/issues/206: the labels are the same ids as the inputs, as if the model had to
copy them; the model shifts them by itself.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, write_data
from transformers import GPT2Config, GPT2LMHeadModel, set_seed
from where import folder_given

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train)
    set_seed(1)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=256, n_embd=64, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0
    )
    write_data(folder, data)
    run_trainer(folder, GPT2LMHeadModel(config), tokenizer, data, steps=300)
