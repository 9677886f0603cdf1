"""JSONL rows with ``step`` and ``train_loss``, ``loss``, ``val_loss`` or ``eval_loss``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from evalharness.records import LossPoint

SPLITS: dict[str, Literal["train", "validation"]] = {
    "train_loss": "train",
    "loss": "train",
    "val_loss": "validation",
    "eval_loss": "validation",
    "valid_loss": "validation",
    "validation_loss": "validation",
}


def read(text: str, source: str) -> Iterator[LossPoint]:
    """Yield the losses; a torn last line, of a log that is being written, is left out."""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict):
            yield from points(row, f"{source}:{number}")


def points(row: dict[str, Any], source: str) -> Iterator[LossPoint]:
    """The losses of one row; none where it has no step."""
    step = row.get("step", row.get("_step", row.get("iter")))
    if not isinstance(step, (int, float)):
        return
    for key, split in SPLITS.items():
        if isinstance(row.get(key), (int, float)):
            yield LossPoint(int(step), split, float(row[key]), source)
