"""``trainer_state.json`` of a Hugging Face trainer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from evalharness.errors import LogError
from evalharness.training_log.columns import columns, points
from evalharness.training_log.open_log import note_unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import LogPoint
    from evalharness.training_log.open_log import OpenLog

FORM = "trainer_state.json"
PRIORITY = 10
NAMES = ("trainer_state.json",)


def recognises(head: Sequence[str]) -> bool:
    """Whether it begins as an object with a history."""
    return bool(head) and head[0].startswith("{") and any('"log_history"' in line for line in head)


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses of ``log_history``; the closing row's ``train_loss`` is the mean of the run and no point."""
    try:
        history = json.loads("".join(log.lines()))["log_history"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise LogError(f"{log.path}: not a trainer state, expected an object with log_history: {error!r}") from error
    if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
        raise LogError(f"{log.path}: not a trainer state: log_history is not a list of objects")
    for number, row in enumerate(history):
        kept = {key: value for key, value in row.items() if key != "train_loss"}
        if plan := columns(kept):
            yield from points(kept, plan, f"{log.name}:log_history[{number}]")
    note_unread(log, (key for row in history for key in row))
