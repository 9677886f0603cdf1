"""Tables of losses in Markdown, wherever they stand in a document."""

from __future__ import annotations

import itertools
import re
from functools import partial
from typing import TYPE_CHECKING

from evalharness.errors import LogError
from evalharness.training_log.columns import (
    NO_OWN_NAMES,
    columns,
    have_decimal_commas,
    number,
    plain_name,
    points,
    with_decimal_points,
)
from evalharness.training_log.open_log import DECIMAL_COMMAS, note_unread
from evalharness.training_log.own_names import ENOUGH_ROWS, own_names
from evalharness.training_log.several_runs import chosen_run, run_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import LogPoint
    from evalharness.training_log.open_log import OpenLog

Table = tuple[str, list[str], list[tuple[int, list[str]]]]
FORM = "Markdown table"
PRIORITY = 40
SUFFIXES = (".md",)
"""A table of losses may stand far down in a document."""
SEEN_ROWS = 10_000
"""The first rows show how numbers are written."""
RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*")
BAR = re.compile(r"(?<!\\)\|")


def recognises(head: Sequence[str]) -> bool:
    """Whether a table begins in it."""
    return any("|" in line and RULE.fullmatch(line) for line in head)


def read(log: OpenLog) -> Iterator[LogPoint]:
    """The losses of every table that has steps; a dash in a cell is no loss.

    Tables whose steps overlap are of several runs, by their headings, and rows by the column that names their run.
    Raises :class:`LogError` where none of several is named.
    """
    faults = list[LogError]()
    tables = list(_tables(log))
    of_runs = [table for whole in tables for table in _by_run(whole)]
    read_tables = [table for table in map(partial(_points, log, faults), of_runs) if table[1]]
    if faults and not read_tables:
        raise faults[0]
    runs = _names([heading for heading, _ in read_tables])
    if log.keys.run is not None or len(of_runs) > len(tables) or _overlap([losses for _, losses in read_tables]):
        run = chosen_run(log, runs)
        read_tables = [table for name, table in zip(runs, read_tables, strict=True) if name == run]
    return itertools.chain.from_iterable(losses for _, losses in read_tables)


def _by_run(table: Table) -> list[Table]:
    """A table for each run that a column names; the table itself where none does. An empty cell is as the one above."""
    _, header, rows = table
    column = run_column({plain_name(name): name for name in header})
    if column is None:
        return [table]
    at_column, run = header.index(column), ""
    by_run: dict[str, list[tuple[int, list[str]]]] = {}
    for at, cells in rows:
        run = "".join(cells[at_column : at_column + 1]).strip("*`_ ") or run
        by_run.setdefault(run, []).append((at, cells))
    return [(run, header, of_run) for run, of_run in by_run.items()] if len(by_run) > 1 else [table]


def _points(log: OpenLog, faults: list[LogError], table: Table) -> tuple[str, list[LogPoint]]:
    """The heading of a table, and its losses; ``faults`` takes why it may have some that can't be told."""
    heading, header, rows = table
    note_unread(log, header)
    commas = have_decimal_commas(cell for _, cells in rows[:SEEN_ROWS] for cell in cells)
    named = [
        (at, dict(zip(header, with_decimal_points(cells) if commas else cells, strict=False))) for at, cells in rows
    ]
    try:
        own = own_names(log, [row for _, row in named[:ENOUGH_ROWS]]) if _has_numbers(named) else NO_OWN_NAMES
    except LogError as error:
        faults.append(error)
        return heading, []
    plan = columns(header, own)
    if plan is None:
        return heading, []
    log.understand(plan, own)
    if commas:
        log.note(DECIMAL_COMMAS)
    source = log.name
    return heading, [point for at, row in named for point in points(row, plan, f"{source}:{at}")]


def _cells(line: str) -> list[str]:
    return BAR.split(line) if "\\" in line else line.split("|")


def _has_numbers(rows: Sequence[tuple[int, Mapping[str, str]]]) -> bool:
    return any(number(cell) is not None for _, row in rows for cell in row.values())


def _names(headings: Sequence[str]) -> list[str]:
    """A name for each table: its heading, and which of those below it where there are several."""
    return [
        f"{heading} {headings[: at + 1].count(heading)}" if headings.count(heading) > 1 else heading
        for at, heading in enumerate(headings)
    ]


def _overlap(tables: Sequence[Sequence[LogPoint]]) -> bool:
    """Whether two tables have losses of the same split and step, as those of one run that goes on have not."""
    if len(tables) < 2:
        return False
    places = [place for table in tables for place in {(type(point), point.step, point.split) for point in table}]
    return len(places) > len(set(places))


def _tables(log: OpenLog) -> Iterator[Table]:
    """Each table with the heading above it, its header, and its rows with the numbers of their lines."""
    above: list[str] = []
    header: list[str] | None = None
    rows: list[tuple[int, list[str]]] = []
    heading = "table"
    for at, line in enumerate(log.lines(), 1):
        cells = [*map(str.strip, _cells(line.strip().strip("|")))] if "|" in line else []
        begins = bool(cells) and "-" in line and RULE.fullmatch(line) is not None
        if header is not None and (begins or not cells):
            yield heading, header, rows
            header, rows = None, []
        if begins:
            header = above
        elif header is not None:
            rows.append((at, cells))
        if line.startswith("#"):
            heading = line.strip("#* \n") or heading
        above = cells
    if header is not None:
        yield heading, header, rows
