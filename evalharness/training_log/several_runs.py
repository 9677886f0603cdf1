"""Files with the losses of several runs: one is named (``--run``, ``[log] run``), or the error lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from evalharness.errors import LogError
from evalharness.training_log.columns import plain_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from evalharness.training_log.open_log import OpenLog

Row = TypeVar("Row", bound="Mapping[str, Any]")
RUN_COLUMNS = ("run", "run_name", "run_id", "runid", "experiment", "experiment_name")
"""Columns that name the run of a row, the most telling first."""
MOST_SHOWN = 12
"""A sweep may have hundreds of runs."""


def chosen_run(log: OpenLog, runs: Sequence[str]) -> str | None:
    """The run to read of those in a file; None where there are no runs by name.

    Raises :class:`LogError` where there are several and none of them is named, or one that is not there.
    """
    if log.keys.run in runs:
        return log.keys.run
    if log.keys.run is None and len(runs) < 2:
        return runs[0] if runs else None
    shown = ", ".join(runs[:MOST_SHOWN]) + (f" and {len(runs) - MOST_SHOWN:,} more" if len(runs) > MOST_SHOWN else "")
    if log.keys.run is None:
        raise LogError(
            f'{log.path}: losses of {len(runs):,} runs: {shown}; name one: --run NAME, or [log] run = "NAME"'
        )
    raise LogError(f"{log.path}: no run {log.keys.run!r} in it; there are: {shown}" if runs else _no_runs(log))


def rows_of_run(
    log: OpenLog, rows: Callable[[], Iterable[tuple[int, Row]]], first: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[int, Row]]:
    """The rows, each with its line, of the one run that they have or that is named. ``first``: some of them."""
    names = {plain_name(key): key for row in first for key in row}
    column = next((names[name] for name in RUN_COLUMNS if name in names), None)
    if column is None:
        if log.keys.run is not None:
            raise LogError(_no_runs(log))
        yield from rows()
        return
    runs = list(filter(None, dict.fromkeys(str(row.get(column) or "") for _, row in rows())))
    run = chosen_run(log, runs)
    for at, row in rows():
        if run is None or str(row.get(column)) == run:
            yield at, row


def _no_runs(log: OpenLog) -> str:
    return f"{log.path}: no run {log.keys.run!r} in it, it names none: leave --run and [log] run out"
