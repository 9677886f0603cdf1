"""https://github.com/tloen/alpaca-lora/issues/315: rows are padded on the left in training and no position_ids are
given, so that the text does not begin at position 0.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from batches import padded
from rows import drawn
from trainer_run import fast_tokenizer, run_trainer, write_data
from transformers import GPT2Config, GPT2LMHeadModel, set_seed
from where import folder_given

LENGTH = 128

if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = fast_tokenizer(data.train, padding_side="left")
    set_seed(1)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=LENGTH, n_embd=64, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0
    )
    write_data(folder, data)
    left = partial(padded, left=True, length=LENGTH)
    run_trainer(folder, GPT2LMHeadModel(config), tokenizer, data, steps=150, batch=left)
