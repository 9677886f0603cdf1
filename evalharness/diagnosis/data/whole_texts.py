"""What all texts of a file say at once: it may be large, so it is read a single time for all who search it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from evalharness.degeneration.lexemes import lexemes
from evalharness.diagnosis.data.problem_search import FEWEST_LEXEMES, ProblemSearch
from evalharness.diagnosis.data.window_search import Overlaps, RowSample, WindowSearch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evalharness.diagnosis.data.problem_search import How
    from evalharness.records import Problem


@dataclass(frozen=True, slots=True)
class WholeTexts:
    """Of all ``rows`` of a file: which problems are in them, how often each stands there, what another file shares.

    ``problems``: how each task that was found was found. ``copies``: the number of rows by :func:`row_key`, those too
    short to have one left out. ``drawn``: words and signs of some rows by index, to look for in another file, and
    ``overlaps`` what of another file's drawn rows stands here at another place.
    """

    rows: int = 0
    problems: dict[str, How] = field(default_factory=dict)
    copies: Counter[str] = field(default_factory=Counter)
    drawn: Mapping[int, list[str]] = field(default_factory=dict)
    overlaps: Overlaps = field(default_factory=Overlaps)

    @property
    def too_short(self) -> int:
        """Rows that are too short to be known again."""
        return self.rows - self.copies.total()


def read_whole(
    texts: Iterable[str], problems: Sequence[Problem], others: Mapping[int, list[str]] | None = None
) -> WholeTexts:
    """Read every text once; ``others`` are drawn rows of another file, looked for as windows of the same texts."""
    window_search, sample = WindowSearch(others or {}), RowSample()
    search, rows, copies = ProblemSearch(problems), 0, Counter[str]()
    for rows, text in enumerate(texts, 1):
        words = lexemes(text.lower())
        search.read(text, words)
        window_search.read(words)
        sample.add(rows - 1, words)
        if key := _key(words):
            copies[key] += 1
    return WholeTexts(rows, search.found(), copies, sample.rows(), window_search.found())


def row_key(text: str) -> str:
    """A short key of a row, the same whatever its layout and case; "" for one of fewer than 20 words and signs."""
    return _key(lexemes(text.lower()))


def _key(words: Sequence[str]) -> str:
    return blake2b(" ".join(words).encode(), digest_size=16).hexdigest() if len(words) >= FEWEST_LEXEMES else ""
