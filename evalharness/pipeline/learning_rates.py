"""The learning rates of a run by step, from the ``trainer_state.json`` that Hugging Face's Trainer leaves."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from evalharness.records import LearningRate

if TYPE_CHECKING:
    from pathlib import Path

STATE = "trainer_state.json"


def learning_rates(checkpoint: Path) -> tuple[LearningRate, ...]:
    """In the order of their steps; empty if the checkpoint has no such file, or the file no rates."""
    try:
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        rows = [(int(row["step"]), float(row["learning_rate"])) for row in state["log_history"] if _has_both(row)]
    except (OSError, ValueError, TypeError, KeyError):
        return ()
    return tuple(LearningRate(step, rate) for step, rate in sorted(rows) if math.isfinite(rate))


def _has_both(row: dict[str, object]) -> bool:
    return "step" in row and row.get("learning_rate") is not None
