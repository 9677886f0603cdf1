"""``trainer_state.json`` of a Hugging Face trainer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from evalharness.errors import LogError
from evalharness.training_log import jsonl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.records import LossPoint


def read(text: str, source: str) -> Iterator[LossPoint]:
    """Yield the losses of ``log_history``; the closing row's ``train_loss`` is the mean of the run and no point."""
    try:
        history = json.loads(text)["log_history"]
    except (json.JSONDecodeError, RecursionError, KeyError, TypeError) as error:
        raise LogError(f"{source}: not a trainer state: {error!r}") from error
    if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
        raise LogError(f"{source}: not a trainer state: log_history is no list of rows")
    for number, row in enumerate(history):
        yield from jsonl.points({k: v for k, v in row.items() if k != "train_loss"}, f"{source}:log_history[{number}]")
