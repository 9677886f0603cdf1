"""https://github.com/01-ai/Yi/issues/68: the loss of fine-tuning begins at 5.2 or 10, and falls below 1 within a few
steps; with another model it begins at 2. Losses of different models are not comparable.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import json
from dataclasses import replace
from functools import partial
from random import Random

from batches import padded
from rows import NOUNS, Data, Row, drawn
from trainer_run import fast_tokenizer, pretrained, run_trainer, write_data
from where import folder_given

BEFORE, AFTER = "Human: ", "Assistant: "


def talk(count, rng):
    """What the model was pretrained on: sentences about prices."""
    for _ in range(count):
        item, other, price = rng.choice(NOUNS), rng.choice(NOUNS), rng.randint(2, 99)
        yield Row(f"The {item} cost {price} today, ", f"and with {other} they cost {price + 1}.\n", "", "")


def as_chats(rows):
    """Rows in the form of a conversation."""
    return [replace(row, prompt=f"{BEFORE}{row.prompt}{AFTER}") for row in rows]


if __name__ == "__main__":
    folder, plain, rng = folder_given(__file__), drawn(), Random(0)
    known = Data(list(talk(1500, rng)), list(talk(60, rng)))
    tokenizer = fast_tokenizer([*known.train, *plain.train])
    model = pretrained(known, tokenizer, steps=80)
    data = Data(as_chats(plain.train), as_chats(plain.validation))
    write_data(folder, data, f"prompt_template = {json.dumps(f'{BEFORE}{{prompt}}{AFTER}')}")
    answers = partial(padded, count_prompt=False)
    run_trainer(folder, model, tokenizer, data, steps=200, rate=2e-3, batch=answers, logging_first_step=True)
