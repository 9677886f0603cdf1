"""What a report is made of: a document is a sequence of typed parts, which a writer of ``writers/`` turns into text.

Every ``str`` in a part is plain text, whatever a model, a file or a user put into it: the writers escape it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


_MARKED = re.compile(r"(?<!`)`([^`\s](?:[^`\n]*[^`\s])?)`(?!`)")
"""Code in a sentence. Lone backticks and runs of them are what somebody wrote, and stay."""


@dataclass(frozen=True, slots=True)
class Code:
    """Inline code: a name, a path, a value."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Words in bold."""

    text: str


@dataclass(frozen=True, slots=True)
class Emphasis:
    """Words in italics."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead to ``target``, a path relative to the report."""

    text: str
    target: str


Span = str | Code | Strong | Emphasis | Link
Text = Span | tuple[Span, ...]
"""Text on one line: one span or several, one after the other."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the title of the document."""

    text: Text
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph."""

    text: Text


@dataclass(frozen=True, slots=True)
class BulletList:
    """A list without an order."""

    items: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class NumberedList:
    """A list whose order matters."""

    items: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many cells as the header has; the columns in ``right`` are aligned to the right."""

    header: tuple[Text, ...]
    rows: tuple[tuple[Text, ...], ...]
    right: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing: ``path`` relative to the report, the SVG itself, and what it shows in words."""

    path: str
    svg: bytes
    alt: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Text whose line ends and blanks matter: a program, or what a model wrote."""

    text: str
    language: str = "text"


@dataclass(frozen=True, slots=True)
class PassageRow:
    """One row of a passage. ``sign`` separates the margin, which holds ``label``, from the text or the note on it."""

    label: str
    sign: str
    text: str

    def __str__(self) -> str:
        """The row with a margin of a fixed width, which the model's own text can't reach."""
        return f"{self.label:<7}{self.sign}{self.text}"


@dataclass(frozen=True, slots=True)
class Passage:
    """What a model wrote, row by row, with its loop marked."""

    rows: tuple[PassageRow, ...]


@dataclass(frozen=True, slots=True)
class Folded:
    """Parts that a page shows once their summary is clicked; what can't fold shows them below it."""

    summary: Text
    parts: tuple[Part, ...]


Part = Heading | Paragraph | BulletList | NumberedList | Table | Figure | Listing | Passage | Folded


def marked(sentence: str) -> tuple[Span, ...]:
    """Return a sentence of a record as spans: what stands between backticks in it is code."""
    pieces = _MARKED.split(sentence)
    return tuple(Code(piece) if i % 2 else piece for i, piece in enumerate(pieces) if piece)


def unmarked(sentence: str) -> str:
    """Return a sentence of a record as a terminal shows it: code without its backticks."""
    return plain_text(marked(sentence))


def spans_of(text: Text) -> tuple[Span, ...]:
    """Return the spans of ``text``."""
    return text if isinstance(text, tuple) else (text,)


def plain_text(text: Text) -> str:
    """Return ``text`` without what marks its spans."""
    return "".join(span if isinstance(span, str) else span.text for span in spans_of(text))


def joined(texts: Sequence[Text], separator: str) -> tuple[Span, ...]:
    """Return the texts as one, with ``separator`` between each two."""
    spans: list[Span] = []
    for i, text in enumerate(texts):
        spans += ([separator] if i else []) + list(spans_of(text))
    return tuple(spans)
