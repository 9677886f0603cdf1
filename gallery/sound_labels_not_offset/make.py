"""https://github.com/tatsu-lab/stanford_alpaca/issues/299: input ids and labels are not offset, only the prompt is
masked, as if the model had to copy a token that it reads; transformers shifts them in the forward pass.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import json
from dataclasses import replace
from functools import partial

from batches import padded
from rows import Data, drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_data
from where import folder_given

BEFORE, AFTER = "### Instruction:\n", "### Response:\n"


def as_instructions(rows):
    """Rows in the form of an instruction."""
    return [replace(row, prompt=f"{BEFORE}{row.prompt}{AFTER}") for row in rows]


if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(1200, 100, seed=5)
    tokenizer = fast_tokenizer(plain.train)
    model = pretrained(plain, tokenizer, steps=100)
    data = Data(as_instructions(more.train), as_instructions(more.validation))
    write_data(folder, data, f"prompt_template = {json.dumps(f'{BEFORE}{{prompt}}{AFTER}')}")
    run_trainer(folder, model, tokenizer, data, steps=100, rate=1e-3, batch=partial(padded, count_prompt=False))
