"""A table for a terminal that breaks no word and no figure: where it does not fit, each row becomes a short list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

GAP = 2
"""Columns between two columns of a table."""
UNBROKEN = re.compile(r"\[[^\]]*\]|(?:[+\-≤<≥]\s?)?[\d.,]+(?:e[+-]?\d+)? %|≤ \S+|\S+")
"""What stays on one line: an interval, a figure with its unit, a word."""


@dataclass(frozen=True, slots=True)
class FittedTable:
    """Rows of as many cells as ``header`` has, in the width that a console has; ``right`` is aligned to the right."""

    header: tuple[Text, ...]
    rows: tuple[tuple[Text, ...], ...]
    right: frozenset[int]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a table, or a list for each row."""
        columns = list(zip(self.header, *self.rows, strict=True))
        least = [max(map(_widest_unbroken, column)) for column in columns]
        most = [max(cell_len(cell.plain) for cell in column) for column in columns]
        room = options.max_width - GAP * (len(columns) - 1)
        yield self._table(widths(least, most, room)) if sum(least) <= room else self._lists()

    def _table(self, of_columns: Sequence[int]) -> Table:
        drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
        for i, (head, width) in enumerate(zip(self.header, of_columns, strict=True)):
            drawn.add_column(_wrapped(head, width), justify="right" if i in self.right else "left", width=width)
        for row in self.rows:
            drawn.add_row(*map(_wrapped, row, of_columns))
        return drawn

    def _lists(self) -> Group:
        return Group(*(part for row in self.rows for part in self._list(row)))

    def _list(self, row: Sequence[Text]) -> Iterator[RenderableType]:
        """The first cell, with its name if it is a number alone, and below it the others with theirs."""
        name = self.header[0] if 0 in self.right else Text()
        yield Text.assemble(name, " " if name.plain else "", row[0], style="bold")
        grid = Table.grid(padding=(0, GAP, 0, 0))
        grid.add_column(max_width=max((cell_len(head.plain) for head in self.header[1:]), default=0))
        grid.add_column(overflow="fold")
        for head, cell in zip(self.header[1:], row[1:], strict=True):
            grid.add_row(head, cell)
        yield Padding(grid, (0, 0, 0, 2))


def widths(least: Sequence[int], most: Sequence[int], room: int) -> list[int]:
    """Return the width of each column: at least what can't be broken, and of what is left the same share of its wish.

    ``room`` is for all columns together, and not less than the sum of ``least``.
    """
    wished = sum(most) - sum(least)
    spare = min(room - sum(least), wished)
    return [low + (spare * (high - low) // wished if wished else 0) for low, high in zip(least, most, strict=True)]


def _widest_unbroken(text: Text) -> int:
    return max((cell_len(piece) for piece in UNBROKEN.findall(text.plain)), default=0)


def _wrapped(text: Text, width: int) -> Text:
    """The text with line ends where it has to be broken, which is never within what stays on one line."""
    ends, line_start = [], 0
    pieces = list(UNBROKEN.finditer(text.plain))
    for before, piece in pairwise(pieces):
        if cell_len(text.plain[line_start : piece.end()]) > width and piece.start() > before.end():
            ends.append(piece.start())
            line_start = piece.start()
    lines = text.divide(ends)
    for line in lines:
        line.rstrip()
    return Text("\n").join(lines)
