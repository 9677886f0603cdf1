"""JSONL rows with ``step`` and ``train_loss``, ``loss``, ``val_loss`` or ``eval_loss``."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Literal

from evalharness.records import LossPoint

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = ("step", "_step", "iter")
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
    for number, line in enumerate(text.split("\n"), 1):
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            continue
        if isinstance(row, dict):
            yield from points(row, f"{source}:{number}")


def points(row: dict[str, Any], source: str) -> Iterator[LossPoint]:
    """The losses of one row; none where it has no step."""
    step = next((row[key] for key in STEPS if _is_number(row.get(key))), None)
    if step is None or not math.isfinite(step):
        return
    for key, split in SPLITS.items():
        if _is_number(row.get(key)):
            yield LossPoint(int(step), split, float(row[key]), source)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
