"""Files with the losses of several runs: one is named (``--run``, ``[log] run``), or the error lists them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evalharness.errors import LogError
from evalharness.training_log import tensorboard
from evalharness.training_log.columns import plain_name
from evalharness.training_log.open_log import OpenLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from evalharness.training_log.log_keys import LogKeys

Row = TypeVar("Row", bound="Mapping[str, Any]")
RUN_COLUMNS = ("run", "run_name", "run_id", "runid", "experiment", "experiment_name", "model", "variant")
"""Columns that name the run of a row, the most telling first."""
RANK_COLUMNS = ("rank", "global_rank", "process_index")
FIRST_RANK = "rank 0"
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


def files_of_run(paths: Sequence[Path], keys: LogKeys) -> Sequence[Path]:
    """Of logs that were found, those of one run: event files of several folders are of several runs.

    Raises :class:`LogError` where they are of several runs and none of them is named.
    """
    runs = event_runs(paths)
    if not runs:
        return paths
    folder = Path(os.path.commonpath([path.parent for path in paths]))
    run = chosen_run(OpenLog(folder, keys=keys), list(runs))
    return runs[run] if run else paths


def event_runs(paths: Sequence[Path]) -> Mapping[str, Sequence[Path]]:
    """TensorBoard's event files by the run that they are of: what its folder is called below that of them all.

    Empty without logs, and if some of them are no event files.
    """
    if not paths or not all(path.match(tensorboard.NAMES[0]) for path in paths):
        return {}
    folders = dict.fromkeys(path.parent for path in paths)
    top = Path(os.path.commonpath(folders))
    return {
        folder.name if folder == top else folder.relative_to(top).as_posix(): [p for p in paths if p.parent == folder]
        for folder in folders
    }


def rows_of_run(
    log: OpenLog, rows: Callable[[], Iterable[tuple[int, Row]]], first: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[int, Row]]:
    """The rows, each with its line, of the one run that they have or that is named. ``first``: some of them."""
    names = {plain_name(key): key for row in first for key in row}
    column = run_column(names)
    process = _first(names, RANK_COLUMNS)
    if column is None and process is not None:
        yield from _rows_of_rank(log, rows, process)
        return
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


def run_column(names: Mapping[str, str]) -> str | None:
    """The column that names the run of a row, by the columns' plain names; None where there is none."""
    return _first(names, RUN_COLUMNS)


def _rows_of_rank(
    log: OpenLog, rows: Callable[[], Iterable[tuple[int, Row]]], column: str
) -> Iterator[tuple[int, Row]]:
    """Those of rank 0, or of the only one; of other ranks, which may be of adapters as well, one has to be named."""
    ranks = list(filter(None, dict.fromkeys(rank_text(row.get(column)) for _, row in rows())))
    is_first = log.keys.run is None and FIRST_RANK in ranks
    rank = FIRST_RANK if is_first else chosen_run(log, ranks)
    if is_first and len(ranks) > 1:
        log.note(f"rows of {len(ranks)} processes: those of rank 0 are read")
    for at, row in rows():
        if rank_text(row.get(column)) in {rank, None}:
            yield at, row


def rank_text(value: object) -> str | None:
    """How a rank is named as a run: ``rank 0``; None where there is none."""
    return None if value is None or value == "" else f"rank {value}"


def _first(names: Mapping[str, str], known: Sequence[str]) -> str | None:
    return next((names[name] for name in known if name in names), None)


def _no_runs(log: OpenLog) -> str:
    return f"{log.path}: no run {log.keys.run!r} in it, it names none: leave --run and [log] run out"
