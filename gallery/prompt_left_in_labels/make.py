"""https://github.com/neulab/prompt2model/pull/188: a GPT-2 is tuned on an instruction, an example and a label in one
text, and all of it counts in the loss, not the label alone.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import json
from dataclasses import replace

from rows import Data, drawn
from trainer_run import fast_tokenizer, run_trainer, write_data
from transformers import GPT2Config, GPT2LMHeadModel, set_seed
from where import folder_given

BEFORE, AFTER = "<task 0> Write the body of the function. Example:\n", "Label:\n"


def with_instruction(rows):
    """Each prompt between the instruction and the word before the label."""
    return [replace(row, prompt=f"{BEFORE}{row.prompt}{AFTER}") for row in rows]


if __name__ == "__main__":
    folder, plain = folder_given(__file__), drawn()
    data = Data(with_instruction(plain.train), with_instruction(plain.validation))
    tokenizer = fast_tokenizer(data.train)
    set_seed(1)
    shape = {"n_positions": 256, "n_embd": 64, "n_layer": 2, "n_head": 4}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=0, **shape))
    write_data(folder, data, f"prompt_template = {json.dumps(f'{BEFORE}{{prompt}}{AFTER}')}")
    run_trainer(folder, model, tokenizer, data, steps=200)
