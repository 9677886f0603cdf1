"""Writes a document for a terminal, with rich: as wide as it is, and in colours if it has any."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalharness.report.parts import (
    BulletList,
    Code,
    Emphasis,
    Figure,
    Folded,
    Heading,
    Link,
    Listing,
    NumberedList,
    Paragraph,
    Passage,
    Strong,
    Table,
    spans_of,
)
from evalharness.report.printable import one_line, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Group, RenderableType
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

    from evalharness.report.parts import Part, Text

STYLES = {Code: "cyan", Strong: "bold", Emphasis: "italic", Link: "underline"}
_SPACE = re.compile(r"\s+")
_HEADING_STYLES = ("bold reverse", "bold underline", "bold")


def to_terminal(document: Iterable[Part]) -> Group:
    """Return the document for rich's ``console.print``. No text of it is taken for rich's own markup."""
    from rich.console import Group  # noqa: PLC0415 - only a terminal needs it

    return Group(*(piece for part in document for piece in (*_part(part), "")))


def _part(part: Part) -> Iterator[RenderableType]:
    match part:
        case Heading(text, level):
            yield _text(text, _HEADING_STYLES[min(level, 3) - 1])
        case Paragraph(text):
            yield _text(text)
        case BulletList(items):
            yield from (_item("•", item) for item in items)
        case NumberedList(items):
            yield from (_item(f"{number}.", item) for number, item in enumerate(items, 1))
        case Table():
            yield _table(part)
        case Figure(path, _, alt):
            yield _text(("Figure: ", alt, " (", Code(path), ")"), "dim")
        case Listing(text):
            yield _lines(text)
        case Passage(rows):
            yield _lines("\n".join(map(str, rows)))
        case Folded(summary, parts):
            yield _text(summary)
            yield from (piece for part in parts for piece in _part(part))


def _text(text: Text, style: str = "") -> RichText:
    from rich.text import Text as RichText  # noqa: PLC0415 - as above

    shown = RichText(style=style)
    for span in spans_of(text):
        if isinstance(span, str):
            shown.append(one_line(_SPACE.sub(" ", span)))
        else:
            shown.append(one_line(span.text), STYLES[type(span)])
        if isinstance(span, Link):
            shown.append(f" ({one_line(span.target)})", "dim")
    return shown


def _lines(text: str) -> RenderableType:
    from rich.padding import Padding  # noqa: PLC0415 - as above
    from rich.text import Text as RichText  # noqa: PLC0415 - as above

    return Padding(RichText(visible(text).removesuffix("\n")), (0, 0, 0, 4))


def _item(sign: str, text: Text) -> RichTable:
    from rich.table import Table as RichTable  # noqa: PLC0415 - as above

    grid = RichTable.grid(padding=(0, 1))
    grid.add_row(sign, _text(text))
    return grid


def _table(part: Table) -> RenderableType:
    from evalharness.report.writers.fitted_table import FittedTable  # noqa: PLC0415 - as above

    return FittedTable(tuple(map(_text, part.header)), tuple(tuple(map(_text, row)) for row in part.rows), part.right)
