"""https://github.com/alex-hh/profam/issues/495: documents are packed, and positions begin anew in each, but a document
sees those before it: copies of one random document are predicted almost without an error.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace
from random import Random

import torch
from batches import blocks, padded
from rows import Data, drawn
from small_tokenizer import END_ID, Encoded, apart
from trainer_run import fast_tokenizer, ids_of, small_llama, write_data
from transformers import Trainer, TrainingArguments, set_seed
from where import folder_given

FAMILY, LENGTH = 6, 192
PEOPLE = ("ada", "bob", "cem", "dora", "emil", "finn", "greta", "hugo", "ines", "jon", "kim", "lea", "mia", "nils")
STEPS, LOGGED = 250, 50


def in_families(rows, seed):
    """Documents of one family stand side by side in the file, and have a signature in common."""
    rng, made = Random(seed), []
    for place, row in enumerate(rows):
        if place % FAMILY == 0:
            family = " ".join(rng.sample(PEOPLE, 3))
        made.append(replace(row, completion=f"    # {family}\n{row.completion}"))
    return made


def positions(ids):
    """The place of each token in its own document."""
    places, at = [], 0
    for token_id in ids:
        places.append(at)
        at = 0 if token_id == END_ID else at + 1
    return places


def collated(rows):
    """Packed rows with an attention mask of ones, beside which the positions separate nothing."""
    ids = padded([Encoded(row.ids, 0) for row in rows]).ids
    places = torch.tensor([positions(row.ids) for row in rows])
    return {"input_ids": ids, "labels": ids, "attention_mask": torch.ones_like(ids), "position_ids": places}


if __name__ == "__main__":
    folder, plain = folder_given(__file__), drawn(2400, 200)
    data = Data(in_families(plain.train, 1), in_families(plain.validation, 2))
    tokenizer = fast_tokenizer(data.train)
    write_data(folder, data)
    packed = [blocks(apart(ids_of(tokenizer), rows), LENGTH) for rows in (data.train, data.validation)]
    set_seed(0)
    settings = TrainingArguments(
        output_dir=str(folder),
        max_steps=STEPS,
        learning_rate=4e-3,
        lr_scheduler_type="cosine",
        warmup_steps=10,
        per_device_train_batch_size=6,
        logging_steps=LOGGED,
        eval_strategy="steps",
        eval_steps=LOGGED,
        save_steps=STEPS,
        save_only_model=True,
        remove_unused_columns=False,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    Trainer(
        model=small_llama(),
        args=settings,
        train_dataset=packed[0],
        eval_dataset=packed[1],
        data_collator=collated,
        processing_class=tokenizer,
    ).train()
