"""Tables of losses in Markdown, wherever they stand in a document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalharness.training_log.columns import Columns, columns, points
from evalharness.training_log.open_log import note_unread

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
    header: list[str] = []
    of: Columns | None = None
    above: list[str] = []
    for at, line in enumerate(log.lines(), 1):
        cells = [cell.strip() for cell in BAR.split(line.strip().strip("|"))] if "|" in line else []
        if cells and RULE.fullmatch(line):
            header, of = above, columns(above)
            note_unread(log, above)
        elif not cells:
            of = None
        elif of is not None:
            yield from points(dict(zip(header, cells, strict=False)), of, f"{log.name}:{at}")
        above = cells
