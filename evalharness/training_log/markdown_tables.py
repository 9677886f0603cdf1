"""Tables of losses in Markdown, wherever they stand in a document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalharness.training_log.columns import columns, have_decimal_commas, points, with_decimal_points
from evalharness.training_log.open_log import DECIMAL_COMMAS, note_unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import LogPoint
    from evalharness.training_log.open_log import OpenLog

FORM = "Markdown table"
PRIORITY = 40
SUFFIXES = (".md",)
"""A table of losses may stand far down in a document."""
RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*")
BAR = re.compile(r"(?<!\\)\|")


def recognises(head: Sequence[str]) -> bool:
    """Whether a table begins in it."""
    return any("|" in line and RULE.fullmatch(line) for line in head)


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses of every table that has steps; a dash in a cell is no loss."""
    for header, rows in _tables(log):
        of = columns(header)
        note_unread(log, header)
        if of is None:
            continue
        commas = have_decimal_commas(cell for _, cells in rows for cell in cells)
        if commas:
            log.notes.append(DECIMAL_COMMAS)
        for at, cells in rows:
            row = dict(zip(header, with_decimal_points(cells) if commas else cells, strict=False))
            yield from points(row, of, f"{log.name}:{at}")


def _tables(log: OpenLog) -> Iterator[tuple[list[str], list[tuple[int, list[str]]]]]:
    """The header of each table, and its rows with the numbers of their lines."""
    above: list[str] = []
    header: list[str] | None = None
    rows: list[tuple[int, list[str]]] = []
    for at, line in enumerate(log.lines(), 1):
        cells = [cell.strip() for cell in BAR.split(line.strip().strip("|"))] if "|" in line else []
        begins = bool(cells) and RULE.fullmatch(line) is not None
        if header is not None and (begins or not cells):
            yield header, rows
            header, rows = None, []
        if begins:
            header = above
        elif header is not None:
            rows.append((at, cells))
        above = cells
    if header is not None:
        yield header, rows
