"""How long a training log of a million lines takes to read, in each form of text, and how often as long as plain code.

python benchmarks/logs.py

Plain code goes through the same lines with ``json.loads``, ``csv.reader`` or ``str.split``, and keeps nothing. It runs
just before each reading, so that the ratio says the same on a slow machine and on a busy one.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
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


def comma_separated(lines: int) -> Iterator[str]:
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


def json_lines(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        for line in file:
            json.loads(line)


def csv_rows(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        for _ in csv.reader(file):
            pass


def words(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        for line in file:
            line.split()


@dataclass(frozen=True, slots=True)
class Form:
    """A form of log: the name of such a file, its lines, and the plain code that goes through them."""

    name: str
    written: Callable[[int], Iterator[str]]
    plain: Callable[[Path], None]


FORMS = {
    "lines of a loop": Form("train.log", printed, words),
    "JSONL": Form("log.jsonl", jsonl, json_lines),
    "CSV": Form("metrics.csv", comma_separated, csv_rows),
    "MLflow metric": Form("train_loss", mlflow, words),
    "own lines": Form("out.txt", own, words),
    "nested JSONL": Form("nested.jsonl", nested, json_lines),
    "fairseq": Form("fairseq.log", fairseq, words),
    "Markdown table": Form("card.md", markdown, words),
}


@dataclass(frozen=True, slots=True)
class Took:
    """Medians of the repetitions, in seconds; ``ratio`` is that of the two processor times."""

    wall_s: float
    processor_s: float
    plain_processor_s: float
    ratio: float


def seconds(read: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of the processor."""
    begun = time.perf_counter(), time.process_time()
    read()
    return time.perf_counter() - begun[0], time.process_time() - begun[1]


def measured(form: Form, path: Path) -> Took:
    plain, read = zip(
        *((seconds(lambda: form.plain(path)), seconds(lambda: read_logs([path]))) for _ in range(REPETITIONS)),
        strict=True,
    )
    wall_s, processor_s = map(statistics.median, zip(*read, strict=True))
    plain_processor_s = statistics.median(processor for _, processor in plain)
    return Took(wall_s, processor_s, plain_processor_s, processor_s / plain_processor_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for title, form in FORMS.items():
            path = Path(folder) / form.name
            path.write_text("".join(line + "\n" for line in form.written(arguments.lines)), encoding="utf-8")
            found[title] = measured(form, path)
    if arguments.json:
        print(json.dumps({title: asdict(took) for title, took in found.items()}))
        return
    for title, took in found.items():
        print(
            f"{title:<16} {arguments.lines:,} lines  {took.wall_s:.2f} s ({took.processor_s:.2f} s of the CPU), "
            f"{took.ratio:.1f} times {FORMS[title].plain.__name__}"
        )


if __name__ == "__main__":
    main()
