"""Whether rows are windows of texts that other rows are windows of, too: the same stretch at another place.

Many rows share words that many people write, so a shared stretch alone shows nothing. Two windows of one text share all
that both hold of it: the stretch ends where one of them ends, on both sides. One that two texts merely share ends where
they go on differently. That difference is the null: no threshold on the length of a stretch would tell the two.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from evalharness.degeneration.lexemes import windows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

N = 13
"""Words and signs by which a stretch is found, as in the search for problems."""
SHORTEST = 20
"""Fewer shared words and signs may stand at the edges of two rows by chance (``return result``)."""
MOST_HOLDERS = 16
"""An n-gram of more rows than this is what rows of one kind share, and finds nothing."""
ROWS, WORDS = 1_000, 200_000
"""Rows that are searched for, and their words and signs together: the share of rows that overlap is then known to
within 3 % (Wilson)."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Of ``rows`` that were searched for, by index: which of their words and signs others hold as windows of one text.

    ``spans``: from and to, of each row that overlaps. ``lengths``: of each row searched for, in words and signs.
    ``shared_only``: rows that share a stretch of ``N`` with others which ends where the texts differ.
    """

    lengths: Mapping[int, int] = field(default_factory=dict)
    spans: Mapping[int, tuple[Span, ...]] = field(default_factory=dict)
    shared_only: int = 0

    def covered(self, row: int) -> float:
        """The share of a row's words and signs that stand in other rows so."""
        return sum(end - begin for begin, end in self.spans.get(row, ())) / self.lengths[row]


class RowSample:
    """Words and signs of up to ``ROWS`` rows, drawn at random from all (Vitter 1985, algorithm R)."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = Random(seed)  # noqa: S311 - a sample, no secret
        self._kept: list[tuple[int, list[str]]] = []

    def add(self, index: int, words: list[str]) -> None:
        """Offer the next row."""
        if index < ROWS:
            self._kept.append((index, words))
        elif (place := self._rng.randrange(index + 1)) < ROWS:
            self._kept[place] = (index, words)

    def rows(self) -> dict[int, list[str]]:
        """The rows by index, as many as have ``WORDS`` together."""
        rows, words = {}, 0
        for index, own in self._kept:
            rows[index] = own
            words += len(own)
            if words > WORDS:
                break
        return rows


class WindowSearch:
    """A search for ``rows`` (words and signs by index) that is given one other row after another."""

    def __init__(self, rows: Mapping[int, list[str]]) -> None:
        self._rows = {index: words for index, words in rows.items() if len(words) >= SHORTEST}
        self._edges = _index(self._rows, edges=True)
        self._inside = _index(self._rows, edges=False)
        self._spans: defaultdict[int, set[Span]] = defaultdict(set)
        self._differing: set[int] = set()

    def read(self, words: list[str]) -> None:
        """Look for the rows in one other row."""
        if not self._rows or len(words) < SHORTEST:
            return
        grams = [hash(gram) for gram in windows(words, N)]
        known = self._edges.keys() & set(grams)
        places = [(gram, at) for at, gram in enumerate(grams) if gram in known] if known else []
        pairs = {(row, begin - at) for gram, at in places for row, begin in self._edges[gram]}
        for at in _edge_places(len(words)):
            pairs |= {(row, begin - at) for row, begin in self._inside.get(grams[at], ())}
        for row, shift in pairs:
            self._compare(row, words, shift)

    def _compare(self, row: int, other: list[str], shift: int) -> None:
        """Whether the row and another one are the same wherever they lie over each other, ``shift`` words apart."""
        own = self._rows[row]
        begin, end = max(0, shift), min(len(own), len(other) + shift)
        if end - begin < SHORTEST or (not shift and len(own) == len(other)):
            return  # A row that is the same as a whole is no window, but a copy.
        # The edge of a window may cut a word.
        if own[begin + 1 : end - 1] == other[begin + 1 - shift : end - 1 - shift]:
            self._spans[row].add((begin, end))
        else:
            self._differing.add(row)

    def found(self) -> Overlaps:
        """What was found so far."""
        spans = {row: tuple(_joined(sorted(spans))) for row, spans in self._spans.items()}
        lengths = {row: len(words) for row, words in self._rows.items()}
        return Overlaps(lengths, spans, len(self._differing - spans.keys()))


def _index(rows: Mapping[int, list[str]], *, edges: bool) -> dict[int, list[tuple[int, int]]]:
    """Rows and places by n-gram, those next to the edges or all; without what rows of one kind share."""
    index: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for row, words in rows.items():
        places = _edge_places(len(words)) if edges else range(len(words) - N + 1)
        for at in places:
            index[hash(tuple(words[at : at + N]))].append((row, at))
    return {gram: held for gram, held in index.items() if len(held) <= MOST_HOLDERS}


def _edge_places(length: int) -> tuple[int, int]:
    """Where the first and the last n-gram begin that hold no word which an edge may have cut."""
    return 1, length - 1 - N


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Sorted spans without what they share."""
    joined: list[Span] = []
    for begin, end in spans:
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((begin, end))
    return joined
