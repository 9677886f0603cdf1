"""https://github.com/EricFillion/happy-transformer/issues/283: a GPT-Neo that was tuned on a text file of messages
writes them all in one line; the file is read line by line, and the line breaks are lost.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from random import Random

from batches import blocks
from rows import NOUNS, Data, Row
from small_tokenizer import END_ID, Encoded
from trainer_run import SPARE, fast_tokenizer, run_trainer
from transformers import GPTNeoConfig, GPTNeoForCausalLM, set_seed
from where import folder_given

BLOCK = 96


def messages(count, rng):
    """Two people about prices, a message a line."""
    for _ in range(count):
        item, other, price = rng.choice(NOUNS), rng.choice(NOUNS), rng.randint(2, 99)
        yield f"Person 1: what do the {item} cost today?"
        yield f"Person 2: the {item} are {price}, and with {other} they are {price + 1}."


def joined(encode, rows):
    """Lines as the loader gives them, without what ends them: one behind the other, cut into blocks."""
    return blocks([Encoded(tuple(encode(row.prompt)), 0) for row in rows], BLOCK)


if __name__ == "__main__":
    folder, rng = folder_given(__file__), Random(0)
    train, validation = ([Row(line, "\n", "", "") for line in messages(count, rng)] for count in (2500, 200))
    for name, rows in (("train.txt", train), ("eval.txt", validation)):
        (folder / name).write_text("".join(row.prompt + row.completion for row in rows), encoding="utf-8")
    (folder / "evalharness.toml").write_text('[data]\ntrain = "train.txt"\nvalidation = "eval.txt"\n')
    set_seed(1)
    shape = {"hidden_size": 64, "num_layers": 2, "num_heads": 4, "attention_types": [[["global"], 2]]}
    model = GPTNeoForCausalLM(
        GPTNeoConfig(vocab_size=SPARE, max_position_embeddings=256, bos_token_id=END_ID, eos_token_id=END_ID, **shape)
    )
    run_trainer(folder, model, fast_tokenizer(train), Data(train, validation), steps=300, encode=joined)
