"""JSONL rows with ``step`` and ``train_loss``, ``loss``, ``val_loss`` or ``eval_loss``; exports of W&B are such.

Objects in a row are read as if they were flat: ``{"train": {"loss": 2.5}}`` as ``train/loss``.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from evalharness.training_log.columns import points
from evalharness.training_log.open_log import note_unread
from evalharness.training_log.own_names import ENOUGH_ROWS, RowPlans
from evalharness.training_log.several_runs import rows_of_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import LogPoint
    from evalharness.training_log.open_log import OpenLog

FORM = "JSONL rows"
PRIORITY = 20


def recognises(head: Sequence[str]) -> bool:
    """Whether a line is a JSON object: other lines may stand between."""
    return any(line.startswith("{") and _row(line) is not None for line in head)


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses; a torn last line, of a log that is being written, is left out."""
    source = log.name
    first = list(itertools.islice((row for _, row in _rows(log)), ENOUGH_ROWS))
    joined = [key for key, value in first[0].items() if _are_joined(key, value)] if first else []
    if joined:
        first = [_apart(joined, row) for row in first]
    plans = RowPlans(log, first)
    for number, row in rows_of_run(log, lambda: _rows(log, joined), first):
        plan = plans.of(row)
        if plan is not None:
            yield from points(row, plan, f"{source}:{number}")
    note_unread(log, plans.names())


def _rows(log: OpenLog, joined: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row with the number of its line; ``joined`` are keys that have several names."""
    for number, line in enumerate(log.lines(), 1):
        row = _row(line)
        if row is not None:
            yield number, _apart(joined, row) if joined else row


def _row(line: str) -> dict[str, Any] | None:
    # Six times as fast as the standard library's reader, which alone takes four seconds for a million rows.
    try:
        row = from_json(line)
    except ValueError:
        return None
    if not isinstance(row, dict):
        return None
    # A brace before the last one is that of an object in the row, or stands in a text: both are rare.
    return flat(row) if line.find("{", 1) > 0 else row


def _are_joined(key: str, value: object) -> bool:
    """Whether a key and its text have as many parts: ``"global_step/max_steps": "100/1500"``."""
    parts = value.split("/") if isinstance(value, str) and "/" in key else []
    return len(parts) == len(key.split("/")) and all(map(str.isdecimal, parts))


def _apart(joined: Sequence[str], row: dict[str, Any]) -> dict[str, Any]:
    """The row with the parts of joined keys as keys of their own."""
    parts: dict[str, Any] = {}
    for key, value in row.items():
        if key in joined and _are_joined(key, value):
            parts |= dict(zip(key.split("/"), map(int, value.split("/")), strict=True))
        else:
            parts[key] = value
    return parts


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with the keys of objects in it as paths."""
    flattened: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            for name, inner in flat(value).items():
                flattened[f"{key}/{name}"] = inner
        else:
            flattened[key] = value
    return flattened
