"""Writes a document as Markdown for GitHub. All escaping happens here.

No text can end a code block, add a cell to a table, become markup or HTML, or move a terminal's cursor.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

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
    from collections.abc import Iterable, Sequence

    from evalharness.report.parts import Part, Span, Text

MIN_FENCE = 3
MAX_PADDED = 72
"""Characters up to which a cell widens its column; a longer one does not widen all others."""
_BACKTICKS = re.compile("`+")
_SPACE = re.compile(r"\s+")
_INLINE_MARKUP = re.compile(r"[\\`<&~$]|\](?=[(\[:])|(?<!\s)\*|\*(?!\s)|(?<![^\W_])_|_(?![^\W_])")
_BLOCK_MARKUP = re.compile(r"^(\d*)([>\[]|[-+#=](?=[-+#=\s]|$)|[.)](?=\s|$))")


def to_markdown(document: Iterable[Part]) -> str:
    """Return the document as Markdown. The same parts give the same text."""
    return "\n\n".join(map(_part, document)) + "\n"


def inline(text: Text) -> str:
    """Return ``text`` as Markdown that shows just it, on one line, wherever the line begins."""
    first = _merged(text)[0]
    shown = _inline(text)
    return _BLOCK_MARKUP.sub(r"\1\\\2", shown) if isinstance(first, str) else shown


def code(text: str) -> str:
    r"""Return ``text`` as inline code on one line, its line ends as ``\n``."""
    shown = one_line(text) or " "
    ticks = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.strip() and (shown[0] in "` " or shown[-1] in "` ") else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def fenced(text: str, language: str = "text") -> str:
    """Return ``text`` as a fenced code block with a fence that is longer than any run of backticks in it."""
    shown = visible(text).removesuffix("\n")
    fence = "`" * max(MIN_FENCE, _longest_run(shown) + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def table(part: Table) -> str:
    """Return the table, its cells padded so that it reads as one without a renderer too."""
    cells = [[_cell(cell) for cell in row] for row in (part.header, *part.rows)]
    widths = [max(3, *(len(cell) for cell in column if len(cell) <= MAX_PADDED)) for column in zip(*cells, strict=True)]
    rule = ["-" * (width - 1) + (":" if i in part.right else "-") for i, width in enumerate(widths)]
    return "\n".join(_row(row, widths, part.right) for row in [cells[0], rule, *cells[1:]])


def _part(part: Part) -> str:  # noqa: PLR0911 - one return for each kind of part
    match part:
        case Heading(text, level):
            return f"{'#' * level} {inline(text)}"
        case Paragraph(text):
            return inline(text)
        case BulletList(items):
            return "\n".join(f"- {inline(item)}" for item in items)
        case NumberedList(items):
            return "\n".join(f"{number}. {inline(item)}" for number, item in enumerate(items, 1))
        case Table():
            return table(part)
        case Figure(path, _, alt):
            return f"![{inline(alt)}]({quote(path)})"
        case Listing(text, language):
            return fenced(text, language)
        case Passage(rows):
            return fenced("\n".join(map(str, rows)))
        case Folded(summary, parts):
            return "\n\n".join((f"{inline(summary)}", *map(_part, parts)))


def _inline(text: Text) -> str:
    """The same for where no block can begin: in a cell of a table."""
    return "".join(map(_span, _merged(text))).strip(" ")


def _span(span: Span) -> str:
    match span:
        case Code(text):
            return code(text)
        case Strong(text):
            return f"**{_words(text).strip()}**"
        case Emphasis(text):
            return f"*{_words(text).strip()}*"
        case Link(text, target):
            return f"[{_words(text)}]({quote(target)})"
        case str():
            return _words(span)


def _words(text: str) -> str:
    return _INLINE_MARKUP.sub(r"\\\g<0>", one_line(_SPACE.sub(" ", text)))


def _merged(text: Text) -> list[Span]:
    """The spans of ``text``, neighbouring strings as one: what is markup depends on what is beside it."""
    merged: list[Span] = []
    for span in spans_of(text):
        if merged and isinstance(span, str) and isinstance(merged[-1], str):
            merged[-1] += span
        else:
            merged.append(span)
    return merged or [""]


def _cell(text: Text) -> str:
    r"""One cell. Renderers differ on ``\|`` after a backslash, so the entity stands for it, and no code holds it."""
    safe = tuple(span.text if isinstance(span, Code) and "\\|" in span.text else span for span in spans_of(text))
    return _inline(safe).replace("\\|", "\\&#124;").replace("|", "\\|")


def _row(cells: Sequence[str], widths: Sequence[int], right: frozenset[int]) -> str:
    padded = (
        cell.rjust(width) if i in right else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join(padded)} |"


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)
