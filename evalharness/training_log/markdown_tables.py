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
from evalharness.training_log.known_lines import Figures, KnownLines
from evalharness.training_log.open_log import DECIMAL_COMMAS, note_unread
from evalharness.training_log.own_names import ENOUGH_ROWS, own_names
from evalharness.training_log.several_runs import chosen_run, run_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from evalharness.records import LogPoint
    from evalharness.training_log.columns import Columns
    from evalharness.training_log.open_log import OpenLog

Table = tuple[str, list[str], list[tuple[int, str]]]
"""A heading, the names of the columns, and each row as it is written, with the number of its line."""
FORM = "Markdown table"
PRIORITY = 40
SUFFIXES = (".md",)
"""A table of losses may stand far down in a document."""
ROWS_AT_ONCE = 4_000
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
    by_run: dict[str, list[tuple[int, str]]] = {}
    for at, line in rows:
        run = "".join(_cells(line)[at_column : at_column + 1]).strip("*`_ ") or run
        by_run.setdefault(run, []).append((at, line))
    return [(run, header, of_run) for run, of_run in by_run.items()] if len(by_run) > 1 else [table]


def _points(log: OpenLog, faults: list[LogError], table: Table) -> tuple[str, list[LogPoint]]:
    """The heading of a table, and its losses; ``faults`` takes why it may have some that can't be told."""
    heading, header, rows = table
    note_unread(log, header)
    commas = have_decimal_commas(cell for _, line in rows[:SEEN_ROWS] for cell in _cells(line))
    row_of = partial(_row, header, commas)
    try:
        sample = [row_of(line) for _, line in rows[:ENOUGH_ROWS]]
        own = own_names(log, sample) if any(_has_number(row_of(line)) for _, line in rows) else NO_OWN_NAMES
    except LogError as error:
        faults.append(error)
        return heading, []
    plan = columns(header, own)
    if plan is None:
        return heading, []
    log.understand(plan, own)
    if commas:
        log.note(DECIMAL_COMMAS)
    return heading, list(itertools.chain.from_iterable(_losses(rows, plan, header, row_of, log.name)))


def _losses(
    rows: Sequence[tuple[int, str]],
    plan: Columns,
    header: Sequence[str],
    row_of: Callable[[str], Mapping[str, str]],
    name: str,
) -> Iterator[Sequence[LogPoint]]:
    known = KnownLines()
    for begin, end in _neighbours(rows):
        for run in known.runs("".join(line for _, line in rows[begin:end]), rows[begin][0]):
            if run.form is not None:
                yield run.points(name)
                continue
            row = row_of(run.line)
            of_row = points(row, plan, f"{name}:{run.at}")
            yield of_row
            if (figures := _figures(run.line, header, row, plan, of_row)) is not None:
                known.add(run.line, figures)


def _neighbours(rows: Sequence[tuple[int, str]]) -> Iterator[tuple[int, int]]:
    """Where rows begin and end that stand one below another: one at first, which shows what rows there are."""
    begin = 0
    while begin < len(rows):
        end = min(len(rows), begin + (ROWS_AT_ONCE if begin else 1))
        if rows[end - 1][0] - rows[begin][0] >= end - begin:  # other lines stand between them
            end = begin + 1
        yield begin, end
        begin = end


def _figures(
    line: str, header: Sequence[str], row: Mapping[str, str], plan: Columns, of_row: Sequence[LogPoint]
) -> Figures | None:
    """Where a row has what counts; None if it says more than a step and losses in nats."""
    losses = {split: key for split, keys in plan.losses for key in reversed(keys) if number(row.get(key)) is not None}
    if plan.entropy or plan.split or plan.units or not losses or len(of_row) != len(losses):
        return None
    places = dict(zip(header, _places(line), strict=False))
    if any(row.get(name) != line[slice(*place)] for name, place in places.items()) or plan.step not in places:
        return None
    epoch, time = (places.get(name) if name else None for name in (plan.epoch, plan.time))
    return Figures(places[plan.step], [(split, places[key]) for split, key in losses.items()], None, epoch, time)


def _places(line: str) -> Iterator[tuple[int, int]]:
    """Where the text of each cell stands."""
    inner = line.strip().strip("|")
    end = line.index(inner) - 1
    for cell in inner.split("|"):
        start, end = end + 1, end + 1 + len(cell)
        stripped = cell.strip()
        start += cell.index(stripped)
        yield start, start + len(stripped)


def _row(header: Sequence[str], commas: bool, line: str) -> Mapping[str, str]:
    cells = _cells(line)
    return dict(zip(header, with_decimal_points(cells) if commas else cells, strict=False))


def _cells(line: str) -> list[str]:
    inner = line.strip().strip("|")
    return [*map(str.strip, BAR.split(inner) if "\\" in inner else inner.split("|"))]


def _has_number(row: Mapping[str, str]) -> bool:
    return any(number(cell) is not None for cell in row.values())


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
    above = ""
    header: list[str] | None = None
    rows: list[tuple[int, str]] = []
    heading = "table"
    for at, line in enumerate(log.lines(), 1):
        has_cells = "|" in line
        begins = has_cells and "-" in line and RULE.fullmatch(line) is not None
        if header is not None and (begins or not has_cells):
            yield heading, header, rows
            header, rows = None, []
        if begins:
            header = _cells(above) if "|" in above else []
        elif header is not None:
            rows.append((at, line))
        if line.startswith("#"):
            heading = line.strip("#* \n") or heading
        above = line
    if header is not None:
        yield heading, header, rows
