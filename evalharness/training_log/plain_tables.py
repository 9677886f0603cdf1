"""Tables that a loop prints: a line of names, and below it lines of numbers, with bars, blanks, tabs or commas."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from evalharness.training_log.columns import (
    EMPTY,
    have_decimal_commas,
    names_split,
    number,
    points,
    with_decimal_points,
)
from evalharness.training_log.figure_names import loss_name
from evalharness.training_log.open_log import DECIMAL_COMMAS, TORN, note_unread
from evalharness.training_log.own_names import ENOUGH_ROWS, RowPlans
from evalharness.training_log.printed_lines import printed_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import LogPoint
    from evalharness.training_log.open_log import OpenLog

FORM = "printed table"
PRIORITY = 60
BETWEEN_CELLS = (r"\s*[|│┃║]\s*", r"\s*\t\s*", r"\s*;\s*", r"\s{2,}", r"\s*,\s*", r"\s+")
"""What parts the cells of a row, the strongest sign first."""
RULE = re.compile(r"[\W_]+")
"""A line without letters and digits: it parts rows, and says nothing."""
MEASURED = re.compile(
    r"\d+(?::\d\d)+(?:\.\d+)?|[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)? ?(?:%|[a-zA-Z]{1,3}(?:/[a-zA-Z]{1,3})?)"
)
"""A duration, or a number with its unit: ``02:10``, ``1.5s``, ``12k``, ``40%``, ``3.2 it/s``."""
COMMENT = "#% "
"""What stands before the names that numpy writes over its numbers."""
SPLIT = "split"
"""The name of the cell that a line over the table fills."""
INDEX = "unnamed"
"""The name of a number of rows: it counts no steps."""


def recognises(head: Sequence[str]) -> bool:
    """Whether a line of names, one of them a loss's, is followed by as many numbers."""
    said = [line for line in head if not RULE.fullmatch(line)]
    return any(_between(names, row) is not None for names, row in itertools.pairwise(said))


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses of the rows below the first line of names; of other lines none. A last row may be torn."""
    first = [cells for _, cells in itertools.islice(_rows(log), ENOUGH_ROWS)]
    commas = have_decimal_commas(cell for cells in first for cell in cells.values())
    if commas:
        log.note(DECIMAL_COMMAS)
    plans = RowPlans(log, [_pointed(cells) if commas else cells for cells in first])
    for at, cells in _rows(log):
        if plan := plans.of(cells):
            yield from points(_pointed(cells) if commas else cells, plan, f"{log.name}:{at}")
    note_unread(log, plans.names())


def _rows(log: OpenLog) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with the number of its line, by the names above it, and the split that a line over these names."""
    over, above, is_below_row = "", "", False
    names, between, split = list[str](), None, dict[str, str]()
    for at, printed in printed_lines(log):
        line = printed.strip()
        if RULE.fullmatch(line) or not line:
            continue
        if not is_below_row and (newly_between := _between(above, line)) is not None:
            between, names, split = newly_between, _names(above, line, newly_between), _split_over(over)
        row = [] if between is None else _cells(line, between)
        is_below_row = len(row) == len(names) and all(map(_is_value, row)) and any(row)
        over, above = above, line
        if between is None:
            continue
        if not printed.endswith("\n"):
            log.note(TORN)
        elif is_below_row:
            yield at, dict(zip(names, row, strict=True)) | split


def _split_over(line: str) -> dict[str, str]:
    """The split that a line over a table names, as a cell of its rows: ``16:00:30 | valid:``."""
    *_, last = line.rstrip().removesuffix(":").split() or [""]
    return {SPLIT: last} if line.rstrip().endswith(":") and names_split(last) else {}


def _between(names: str, row: str) -> str | None:
    """What parts the cells of both lines, if one has names and the other as many numbers."""
    for between in BETWEEN_CELLS:
        above, below = _names(names, row, between), _cells(row, between)
        fits = len(above) == len(below) > 1 and all(map(_is_value, below)) and len(set(above)) == len(above)
        if fits and any(map(loss_name, above)) and not any(number(name) is not None for name in above if name):
            return between
    return None


def _names(names: str, first: str, between: str) -> list[str]:
    """The names of the cells; pandas prints the number of each row before them, without a name."""
    above, below = _cells(names.lstrip(COMMENT), between), _cells(first, between)
    return [INDEX, *above] if len(below) == len(above) + 1 and below[0] == "0" else above


def _cells(line: str, between: str) -> list[str]:
    cells = re.split(between, line.strip())
    begin, end = int(cells[0] == ""), len(cells) - int(len(cells) > 1 and cells[-1] == "")
    return cells[begin:end]


def _is_value(cell: str) -> bool:
    is_number = number(cell) is not None or have_decimal_commas([cell]) or MEASURED.fullmatch(cell) is not None
    return is_number or cell.lower() in EMPTY


def _pointed(cells: dict[str, str]) -> dict[str, str]:
    return dict(zip(cells, with_decimal_points(cells.values()), strict=True))
