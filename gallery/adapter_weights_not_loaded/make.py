"""https://github.com/ml-explore/mlx-examples/pull/337: weights of an adapter are loaded into the plain model without
strictness, and its answers are those of the base.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from dataclasses import replace
from tempfile import TemporaryDirectory

import torch
from plain_run import PlainRun
from rows import Data, drawn
from small_tokenizer import trained_tokenizer
from where import folder_given

BASE_STEPS, STEPS = 150, 120


def with_last_line(rows):
    """Rows with a last line that the adapter has to learn."""
    return [replace(row, completion=f"{row.completion}# done\n") for row in rows]


if __name__ == "__main__":
    folder, plain, more = folder_given(__file__), drawn(), drawn(800, 80, seed=5)
    tokenizer = trained_tokenizer(plain.train)
    with TemporaryDirectory() as elsewhere:
        PlainRun(steps=BASE_STEPS, data=plain, tokenizer=tokenizer).write(Path(elsewhere))
        base = torch.load(Path(elsewhere) / f"step_{BASE_STEPS}.pt")["model"]
    torch.save(base, folder / "base.pt")
    data = Data(with_last_line(more.train), with_last_line(more.validation))
    code = Path(__file__).with_name("model.py")
    PlainRun(steps=STEPS, code=code, data=data, tokenizer=tokenizer, trained_as={"adapters": True}).write(folder)
    saved = folder / f"step_{STEPS}.pt"
    weights = torch.load(saved)["model"]
    torch.save({"model": {name: own for name, own in weights.items() if "lora_" in name}, "step": STEPS}, saved)
