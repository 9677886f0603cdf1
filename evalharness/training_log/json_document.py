"""One JSON document with a history: a list of rows, rows under a key or by step, or a list of values for each name."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from evalharness.training_log.columns import LOSSES, is_of_rewards, points
from evalharness.training_log.figure_names import loss_name
from evalharness.training_log.jsonl import flat
from evalharness.training_log.lists_with_steps import STEP, rows_with_own_steps
from evalharness.training_log.open_log import UnplacedError, note_unread
from evalharness.training_log.own_names import ENOUGH_ROWS, RowPlans
from evalharness.training_log.several_runs import rows_of_run
from evalharness.training_log.tables import split_of_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalharness.records import LogPoint
    from evalharness.training_log.open_log import OpenLog

FORM = "JSON document"
PRIORITY = 18
STEP_AS_KEY = re.compile(r"{\"\d+\":")


def recognises(head: Sequence[str]) -> bool:
    """Whether a list of rows or an object begins that goes on below its first line, or the only line has a list."""
    if not head:
        return False
    begins = head[0].replace(" ", "")
    is_whole = len(head) == 1 and begins[0] == "{" and ("[" in begins or STEP_AS_KEY.search(begins) is not None)
    return begins in {"[", "{"} or begins.startswith(("[{", "[[")) or is_whole


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses of its rows; nothing if it is no document, for it may be of another form.

    Raises :class:`UnplacedError` where it has losses, and nothing that counts steps.
    """
    try:
        document = json.loads("".join(log.lines()))
    except (ValueError, RecursionError):
        return
    rows = list(enumerate(map(flat, _of_tensorboard(document, log) or _rows(document))))
    first = [row for _, row in rows[:ENOUGH_ROWS]]
    plans = RowPlans(log, first)
    for at, row in rows_of_run(log, lambda: rows, first):
        if plan := plans.of(row):
            yield from points(row, plan, f"{log.name}:[{at}]")
    if not any(plans.of(row) for row in first) and (losses := _unplaced(plans.names(), log)):
        raise UnplacedError(f"{log.path}: losses ({', '.join(losses)}), and no steps beside them: add a list of steps")
    note_unread(log, plans.names())


def _unplaced(names: Iterable[str], log: OpenLog) -> list[str]:
    """The losses among names that lack steps, and nothing else."""
    names = sorted(names)
    is_other = bool(log.in_bits_per_byte) or any(map(is_of_rewards, names))
    return [] if is_other else [*filter(loss_name, names)]


def _of_tensorboard(document: Any, log: OpenLog) -> list[dict[str, Any]]:
    """The rows of ``[[time, step, value], …]``, which TensorBoard exports; the file's name says what they are of."""
    split = split_of_file(log)
    if split is None or not isinstance(document, list):
        return []
    triples = [row for row in document if isinstance(row, list) and len(row) == 3]
    return [{"wall_time": time, STEP: step, LOSSES[split][0]: value} for time, step, value in triples]


def _rows(document: Any) -> list[dict[str, Any]]:
    """The rows of a history: the longest list of objects, else a row for each place in lists of one length."""
    if isinstance(document, list):
        return [row for row in document if isinstance(row, dict)]
    if not isinstance(document, dict):
        return []
    if by_step := _by_step(document):
        return by_step
    if table := _of_table(document):
        return table
    lists = {name: value for name, value in flat(document).items() if isinstance(value, list) and value}
    of_rows = [value for value in lists.values() if isinstance(value[0], dict)]
    if of_rows:
        return _rows(max(of_rows, key=len))
    return (rows_with_own_steps(lists) or _rows_of_longest(lists)) if lists else [document]


def _of_table(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a list of names beside a list of rows, as ``DataFrame.to_json(orient="split")`` writes them."""
    lists = [value for value in document.values() if isinstance(value, list) and value]
    names = next((value for value in lists if all(isinstance(name, str) for name in value)), None)
    rows = next((value for value in lists if all(isinstance(row, list) for row in value)), None)
    if names is None or rows is None or any(len(row) != len(names) for row in rows):
        return []
    return [dict(zip(names, row, strict=True)) for row in rows]


def _rows_of_longest(lists: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    longest = max(map(len, lists.values()))
    whole = {name: values for name, values in lists.items() if len(values) == longest}
    return [dict(zip(whole, values, strict=True)) for values in zip(*whole.values(), strict=True)]


def _by_step(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a history that has its steps as keys, or of names that each have one; none if it has no steps.

    ``{"100": {"train": 4.5}}``, ``{"train": {"100": 4.5}}`` and ``{"train": [[100, 4.5]]}`` are the same row.
    """
    if _are_steps(document) and all(isinstance(row, dict) for row in document.values()):
        return [{STEP: int(step), **row} for step, row in document.items()]
    histories = {name: pairs for name, value in document.items() if (pairs := _pairs(value))}
    return [{STEP: step, name: value} for name, pairs in histories.items() for step, value in pairs]


def _pairs(value: Any) -> list[tuple[int, float]]:
    """Steps, each with a value, whose steps grow."""
    if isinstance(value, dict) and _are_steps(value):
        value = [(int(step), logged) for step, logged in value.items()]
    if not isinstance(value, list) or not all(_is_pair(pair) for pair in value):
        return []
    return [(step, logged) for step, logged in value] if all(a[0] < b[0] for a, b in pairwise(value)) else []


def _is_pair(pair: Any) -> bool:
    is_two = isinstance(pair, (list, tuple)) and len(pair) == 2
    return is_two and type(pair[0]) is int and isinstance(pair[1], float)


def _are_steps(names: Iterable[str]) -> bool:
    names = list(names)
    return len(names) > 1 and all(name.isascii() and name.isdigit() for name in names)
