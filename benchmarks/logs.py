"""How long a training log of a million lines takes to read, in each form of text.

python benchmarks/logs.py
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.training_log import read_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LINES = 1_000_000
REPETITIONS = 3


def printed(lines: int) -> Iterator[str]:
    for i in range(lines):
        yield f"Step {50 * i:6d}/{50 * lines} | Loss: {4 / (i + 1):.4f} | LR: 1.00e-05 | 46.0 steps/s"


def jsonl(lines: int) -> Iterator[str]:
    for i in range(lines):
        row = {"step": 100 * i, "timestamp": 1.7e9 + i, "train_loss": 8.28 / (i + 1), "train_ppl": 3.469, "lr": 1e-5}
        yield json.dumps({**row, "grad_norm": 0.0853, "steps_per_sec": 2.627})


def csv(lines: int) -> Iterator[str]:
    yield "epoch,lr,step,train_loss,val_loss"
    for i in range(lines):
        yield f"{i // 1000},1e-05,{i},{'' if i % 100 == 99 else 4 / (i + 1)},{4.1 / (i + 1) if i % 100 == 99 else ''}"


def mlflow(lines: int) -> Iterator[str]:
    for i in range(lines):
        yield f"{1_700_000_000_000 + i} {4 / (i + 1)} {i}"


def own(lines: int) -> Iterator[str]:
    for i in range(lines):
        yield f"it {i} | nll {4 / (i + 1):.4f} | val nll {4.1 / (i + 1):.4f} | lr 1.00e-05 | 46.0 tok/s"


def nested(lines: int) -> Iterator[str]:
    for i in range(lines):
        yield json.dumps({"i": i, "train": {"loss": 4 / (i + 1), "lr": 1e-5}, "time": 1.7e9 + i})


def fairseq(lines: int) -> Iterator[str]:
    for i in range(lines):
        row = {"epoch": 1, "loss": f"{16 / (i + 1):.3f}", "wps": "12000", "num_updates": str(i), "lr": "1e-05"}
        yield f"2021-03-08 12:31:36 | INFO | train_inner | {json.dumps(row)}"


def markdown(lines: int) -> Iterator[str]:
    yield "| Step | Training Loss | Validation Loss |"
    yield "|---|---|---|"
    for i in range(lines):
        yield f"| {i} | {4 / (i + 1):.4f} | {4.1 / (i + 1):.4f} |"


FORMS: dict[str, tuple[str, Callable[[int], Iterator[str]]]] = {
    "lines of a loop": ("train.log", printed),
    "JSONL": ("log.jsonl", jsonl),
    "CSV": ("metrics.csv", csv),
    "MLflow metric": ("train_loss", mlflow),
    "own lines": ("out.txt", own),
    "nested JSONL": ("nested.jsonl", nested),
    "fairseq": ("fairseq.log", fairseq),
    "Markdown table": ("card.md", markdown),
}


def seconds(path: Path) -> tuple[float, float]:
    begun = time.perf_counter(), time.process_time()
    read_logs([path])
    return time.perf_counter() - begun[0], time.process_time() - begun[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for form, (name, write) in FORMS.items():
            path = Path(folder) / name
            path.write_text("".join(line + "\n" for line in write(arguments.lines)), encoding="utf-8")
            wall, processor = zip(*(seconds(path) for _ in range(REPETITIONS)), strict=True)
            found[form] = {"wall_s": statistics.median(wall), "processor_s": statistics.median(processor)}
    if arguments.json:
        print(json.dumps(found))
        return
    for form, took in found.items():
        print(f"{form:<16} {arguments.lines:,} lines  {took['wall_s']:.2f} s ({took['processor_s']:.2f} s of the CPU)")


if __name__ == "__main__":
    main()
