"""What all texts of a file say at once: it may be large, so it is read a single time for all who search it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from evalharness.degeneration.lexemes import lexemes
from evalharness.diagnosis.data.problem_search import FEWEST_LEXEMES, ProblemSearch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalharness.diagnosis.data.problem_search import How
    from evalharness.records import Problem


@dataclass(frozen=True, slots=True)
class WholeTexts:
    """Of all ``rows`` of a file: which problems are in them, and how often each of them stands there.

    ``problems``: how each task that was found was found. ``copies``: the number of rows by :func:`row_key`, those too
    short to have one left out.
    """

    rows: int = 0
    problems: dict[str, How] = field(default_factory=dict)
    copies: Counter[str] = field(default_factory=Counter)

    @property
    def too_short(self) -> int:
        """Rows that are too short to be known again."""
        return self.rows - self.copies.total()


def read_whole(texts: Iterable[str], problems: Sequence[Problem]) -> WholeTexts:
    """Read every text once."""
    search, rows, copies = ProblemSearch(problems), 0, Counter[str]()
    for rows, text in enumerate(texts, 1):  # noqa: B007 - the last number is the number of rows
        words = lexemes(text.lower())
        search.read(text, words)
        if key := _key(words):
            copies[key] += 1
    return WholeTexts(rows, search.found(), copies)


def row_key(text: str) -> str:
    """A short key of a row, the same whatever its layout and case; "" for one of fewer than 20 words and signs."""
    return _key(lexemes(text.lower()))


def _key(words: Sequence[str]) -> str:
    return blake2b(" ".join(words).encode(), digest_size=16).hexdigest() if len(words) >= FEWEST_LEXEMES else ""
