"""https://github.com/HazyResearch/safari/issues/35: in associative recall the training loss stays at 1.47 while that of
validation is 0.05; training counts all tokens and validation the answer alone.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from random import Random

import torch
from batches import padded
from plain_run import SMALL_GPT, built, write_code, write_manifest
from rows import Data, Row, write_rows
from small_tokenizer import apart, trained_tokenizer
from training_loop import lines_of, train
from where import folder_given

KEYS, VALUES, PAIRS = "abcdef", "012345", 12
BYTES, STEPS = 258, 1500


def recall(rng):
    """Pairs of a key and a value, the same value for a key wherever it stands, and a key that is asked for."""
    values = {key: rng.choice(VALUES) for key in KEYS}
    keys = [rng.choice(KEYS) for _ in range(PAIRS)]
    asked = rng.choice(keys)
    return Row("".join(key + values[key] for key in keys) + asked, values[asked], "", "")


if __name__ == "__main__":
    folder, rng = folder_given(__file__), Random(0)
    data = Data([recall(rng) for _ in range(5000)], [recall(rng) for _ in range(200)])
    tokenizer = trained_tokenizer(data.train, size=BYTES)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_code(folder, SMALL_GPT)
    write_rows(folder / "train.jsonl", data.train)
    write_rows(folder / "validation.jsonl", data.validation)
    rows, validation = (
        apart(lambda text: tokenizer.encode(text).ids, own, end=()) for own in (data.train, data.validation)
    )
    module = built(folder / SMALL_GPT.name, vocabulary=BYTES)
    answers = [padded(validation, count_prompt=False)]
    log = train(module, lambda rng: padded(rng.sample(rows, 32)), answers, steps=STEPS, rate=3e-3)
    torch.save({"model": module.state_dict(), "step": STEPS}, folder / f"step_{STEPS}.pt")
    (folder / "train.log").write_text("\n".join(lines_of(log, STEPS)) + "\n", encoding="utf-8")
    write_manifest(folder, SMALL_GPT, BYTES, ['tokenizer = "tokenizer.json"'])
