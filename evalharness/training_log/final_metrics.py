"""Metrics at the end of a run that name no step, such as ``all_results.json``: no log, and what to read instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evalharness.errors import LogError
from evalharness.training_log.columns import columns, points
from evalharness.training_log.jsonl import flat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import LogPoint
    from evalharness.training_log.open_log import OpenLog

FORM = "final metrics"
PRIORITY = 12
NAMES = ("all_results.json", "*_results.json", "*summary.json")


def recognises(_head: Sequence[str]) -> bool:
    """Never by its lines: the names are what is known of them."""
    return False


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses if a step stands beside them, as in W&B's summary. Raises :class:`LogError` without one."""
    try:
        row: Any = json.loads("".join(log.lines()))
    except (ValueError, RecursionError) as error:
        raise LogError(f"{log.path}: not JSON: {error}") from error
    row = flat(row) if isinstance(row, dict) else {}
    plan = columns(row)
    if plan is None:
        beside = next((p for p in sorted(log.path.parent.glob("**/trainer_state.json"))), None)
        instead = f"{beside} has them" if beside else "set [log] path to the log of the training loop"
        raise LogError(f"{log.path}: final metrics without a step, so of no checkpoint: {instead}")
    log.understood["step", plan.step] = "name"
    yield from points(row, plan, log.name)
