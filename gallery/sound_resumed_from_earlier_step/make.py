"""https://github.com/NVIDIA-NeMo/Speech/issues/12290: a run that was stopped is resumed from its last checkpoint, and
both write to one log, which has some steps twice.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from copy import deepcopy
from dataclasses import replace

import torch
from batches import in_order, padded
from plain_run import SMALL_GPT, built, write_code, write_manifest
from rows import drawn, write_rows
from small_tokenizer import END, apart, trained_tokenizer
from training_loop import lines_of, train
from where import folder_given

KEPT, STOPPED, LAST = 150, 210, 450


def lines_after(step, log):
    """The lines of a part of the run that begins behind a step."""
    return lines_of([replace(point, step=step + point.step) for point in log], LAST)


if __name__ == "__main__":
    folder, data = folder_given(__file__), drawn()
    tokenizer = trained_tokenizer(data.train)
    tokenizer.save(str(folder / "tokenizer.json"))
    rows, held_out = (apart(lambda text: tokenizer.encode(text).ids, own) for own in (data.train, data.validation))
    validation = [padded(own) for own in in_order(held_out)]

    def draw(rng):
        return padded(rng.sample(rows, 16))

    module = built(SMALL_GPT, vocabulary=tokenizer.get_vocab_size())
    lines = [*lines_after(0, train(module, draw, validation, steps=KEPT))]
    lines += lines_after(KEPT, train(deepcopy(module), draw, validation, steps=STOPPED - KEPT, rate=2e-3, seed=1))
    lines += lines_after(KEPT, train(module, draw, validation, steps=LAST - KEPT, rate=2e-3, seed=2))
    (folder / "train.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    torch.save({"model": module.state_dict(), "step": LAST}, folder / f"step_{LAST}.pt")
    write_code(folder, SMALL_GPT)
    write_rows(folder / "train.jsonl", data.train)
    write_rows(folder / "validation.jsonl", data.validation)
    settings = [f'tokenizer = "tokenizer.json"\nend_tokens = "{END}"']
    write_manifest(folder, SMALL_GPT, tokenizer.get_vocab_size(), settings)
