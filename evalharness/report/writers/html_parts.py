"""Writes the parts of a document as HTML: ``Markup.format`` escapes every text that it puts in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

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
    plain_text,
    spans_of,
)
from evalharness.report.printable import one_line, visible
from evalharness.report.writers.inline_svg import inline_svg

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evalharness.report.parts import Part, PassageRow, Span, Text

_SPACE = re.compile(r"\s+")
_BEFORE_PERCENT = re.compile(r"(?<=\d) (?=%)")
_NO_NAME = re.compile(r"[^a-z0-9]+")
_LONG_CELL = 60
"""Characters from which on a cell may wrap; a shorter one is a figure or a name, which reads best on one line."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A heading that can be linked to."""

    name: str
    text: str
    level: int


def parts_html(document: Iterable[Part], links: Mapping[str, str]) -> tuple[Markup, tuple[Anchor, ...]]:
    """Return the parts as HTML, and the headings in it. ``links`` has other targets for those of links."""
    pieces: list[Markup] = []
    anchors: list[Anchor] = []
    for part in document:
        if isinstance(part, Heading):
            anchors.append(_anchor(part, anchors))
            pieces.append(_heading(part, anchors[-1]))
        else:
            pieces.append(_part(part, links))
    return Markup("\n").join(pieces), tuple(anchors)


def inline(text: Text, links: Mapping[str, str] | None = None) -> Markup:
    """Return text on one line."""
    return Markup().join(_span(span, links or {}) for span in spans_of(text))


def _anchor(part: Heading, earlier: Sequence[Anchor]) -> Anchor:
    text = one_line(plain_text(part.text))
    name = _NO_NAME.sub("-", text.lower()).strip("-") or "part"
    count = sum(other.name == name or other.name.rpartition("--")[0] == name for other in earlier)
    return Anchor(f"{name}--{count + 1}" if count else name, text, part.level)


def _heading(part: Heading, anchor: Anchor) -> Markup:
    tag = f"h{min(part.level, 6)}"
    return Markup('<{0} id="{1}">{2}</{0}>').format(tag, anchor.name, inline(part.text))


def _part(part: Part, links: Mapping[str, str]) -> Markup:  # noqa: PLR0911 - one return for each kind of part
    match part:
        case Heading():
            return inline(part.text, links)
        case Paragraph(text):
            return Markup("<p>{}</p>").format(inline(text, links))
        case BulletList(items):
            return Markup("<ul>{}</ul>").format(_items(items, links))
        case NumberedList(items):
            return Markup("<ol>{}</ol>").format(_items(items, links))
        case Table():
            return _table(part, links)
        case Figure(path, svg, alt):
            drawing = inline_svg(svg, PurePosixPath(path).stem, alt)
            return Markup('<figure><div tabindex="0">{}</div><figcaption>{}</figcaption></figure>').format(drawing, alt)
        case Listing(text):
            return _pre(Markup("{}").format(visible(text).removesuffix("\n")))
        case Passage(rows):
            return _pre(Markup("\n").join(map(_row, rows)))
        case Folded(summary, parts):
            inside = Markup("\n").join(_part(part, links) for part in parts)
            return Markup('<details class="folded"><summary>{}</summary>\n{}</details>').format(
                inline(summary, links), inside
            )


def _span(span: Span, links: Mapping[str, str]) -> Markup:
    match span:
        case Code(text):
            return Markup("<code>{}</code>").format(one_line(text))
        case Strong(text):
            return Markup("<strong>{}</strong>").format(_words(text))
        case Emphasis(text):
            return Markup("<em>{}</em>").format(_words(text))
        case Link(text, target):
            return Markup('<a href="{}">{}</a>').format(
                quote(links.get(target, target), errors="surrogatepass"), _words(text)
            )
        case str():
            return Markup("{}").format(_words(span))


def _words(text: str) -> str:
    """Words on one line; a number and its % are never parted by the end of a line."""
    return _BEFORE_PERCENT.sub("\N{NO-BREAK SPACE}", one_line(_SPACE.sub(" ", text)))


def _items(items: Sequence[Text], links: Mapping[str, str]) -> Markup:
    return Markup().join(Markup("<li>{}</li>").format(inline(item, links)) for item in items)


def _table(part: Table, links: Mapping[str, str]) -> Markup:
    head = Markup().join(
        Markup("<th{}>{}</th>").format(_class(cell, i in part.right), inline(cell, links))
        for i, cell in enumerate(part.header)
    )
    rows = Markup("\n").join(
        Markup("<tr>{}</tr>").format(
            Markup().join(
                Markup("<td{}>{}</td>").format(_class(cell, i in part.right), inline(cell, links))
                for i, cell in enumerate(row)
            )
        )
        for row in part.rows
    )
    # A region that scrolls must be reachable with the keyboard.
    return Markup(
        '<div class="table" tabindex="0"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, rows)


def _class(cell: Text, is_right: bool) -> Markup:
    names = ["r"] * is_right + ["long"] * (len(plain_text(cell)) > _LONG_CELL)
    return Markup(' class="{}"').format(" ".join(names)) if names else Markup()


def _row(row: PassageRow) -> Markup:
    """A row; what the model wrote stands in an element of its own, apart from the margin and the notes."""
    is_note = row.sign != "│"
    label = Markup('<span class="margin">{}{}</span>').format(f"{row.label:<7}", row.sign)
    body = Markup('<span class="{}">{}</span>').format(
        "note" if is_note else "copy" if row.label else "written", visible(row.text)
    )
    return label + body


def _pre(content: Markup) -> Markup:
    """Preformatted text. A line end after ``<pre>`` is none of the text's: parsers drop the first."""
    return Markup('<pre tabindex="0">\n{}</pre>').format(content)
