"""``trainer_state.json`` of a Hugging Face trainer."""

from __future__ import annotations

import json
from collections.abc import Iterator

from evalharness.errors import LogError
from evalharness.records import LossPoint
from evalharness.training_log import jsonl


def read(text: str, source: str) -> Iterator[LossPoint]:
    """Yield the losses of ``log_history``; the closing row's ``train_loss`` is the mean of the run and no point."""
    try:
        history = json.loads(text)["log_history"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise LogError(f"{source}: not a trainer state: {error!r}") from error
    for number, row in enumerate(history):
        yield from jsonl.points({k: v for k, v in row.items() if k != "train_loss"}, f"{source}:log_history[{number}]")
