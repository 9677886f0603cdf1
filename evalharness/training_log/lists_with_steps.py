"""Histories in lists that have steps of their own: ``{"train": {"step": […], "loss": […]}, "val": {…}}``."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from evalharness.training_log.figure_names import is_counter, loss_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STEP = "step"
"""The name of what a history counts by, whatever it calls it."""
X = "x"
"""What plots call their steps, beside ``y``."""


def rows_with_own_steps(lists: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """A row for each value in lists of one length that stand beside one list of steps; the names are paths.

    None if the document has no more than one list of steps, by another name than ``x``: all its lists are of that.
    """
    tables = [(steps, group) for group in _groups(lists) if (steps := _steps(group))]
    if len(tables) < 2 and not any(_last(steps) == X for steps, _ in tables):
        return []
    rows: list[dict[str, Any]] = []
    for steps, table in tables:
        values = {name: column for name, column in table.items() if name != steps and not isinstance(column[0], str)}
        for name, column in values.items():
            is_alone = len(values) == 1 and loss_name(name) is None
            called = name.rpartition("/")[0] if is_alone else name
            rows += [{STEP: step, called: value} for step, value in zip(table[steps], column, strict=True)]
    return rows


def _groups(lists: Mapping[str, Sequence[Any]]) -> list[dict[str, Sequence[Any]]]:
    """The lists that stand beside each other and have one length."""
    groups: dict[tuple[str, int], dict[str, Sequence[Any]]] = {}
    for name, values in lists.items():
        groups.setdefault((name.rpartition("/")[0], len(values)), {})[name] = values
    return list(groups.values())


def _steps(group: Mapping[str, Sequence[Any]]) -> str | None:
    """The one list of a group that counts."""
    counting = [name for name, values in group.items() if _counts(_last(name), values)]
    return counting[0] if len(counting) == 1 else None


def _counts(name: str, values: Sequence[Any]) -> bool:
    is_named = name == X or is_counter(name)
    return is_named and all(type(value) is int for value in values) and all(a < b for a, b in pairwise(values))


def _last(name: str) -> str:
    return name.rpartition("/")[2]
