"""One JSON document with a history: a list of rows, rows under a key, or a list of values for each name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evalharness.training_log.columns import points
from evalharness.training_log.jsonl import flat
from evalharness.training_log.open_log import note_unread
from evalharness.training_log.own_names import ENOUGH_ROWS, RowPlans
from evalharness.training_log.several_runs import rows_of_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import LogPoint
    from evalharness.training_log.open_log import OpenLog

FORM = "JSON document"
PRIORITY = 18


def recognises(head: Sequence[str]) -> bool:
    """Whether a list of rows or an object begins that goes on below its first line, or the only line has a list."""
    if not head:
        return False
    begins = head[0].replace(" ", "")
    return begins in {"[", "{"} or begins.startswith("[{") or (len(head) == 1 and begins[0] == "{" and "[" in begins)


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses of its rows; nothing if it is no document, for it may be of another form."""
    try:
        document = json.loads("".join(log.lines()))
    except (ValueError, RecursionError):
        return
    rows = list(enumerate(map(flat, _rows(document))))
    first = [row for _, row in rows[:ENOUGH_ROWS]]
    plans = RowPlans(log, first)
    for at, row in rows_of_run(log, lambda: rows, first):
        if plan := plans.of(row):
            yield from points(row, plan, f"{log.name}:[{at}]")
    note_unread(log, plans.names())


def _rows(document: Any) -> list[dict[str, Any]]:
    """The rows of a history: the longest list of objects, else a row for each place in lists of one length."""
    if isinstance(document, list):
        return [row for row in document if isinstance(row, dict)]
    if not isinstance(document, dict):
        return []
    lists = {name: value for name, value in flat(document).items() if isinstance(value, list) and value}
    of_rows = [value for value in lists.values() if isinstance(value[0], dict)]
    if of_rows:
        return _rows(max(of_rows, key=len))
    if not lists:
        return [document]
    longest = max(map(len, lists.values()))
    whole = {name: values for name, values in lists.items() if len(values) == longest}
    return [dict(zip(whole, values, strict=True)) for values in zip(*whole.values(), strict=True)]
