"""Loops without a period: two words or signs in ever new numbers ("self self,,,, self, self,,").

No copy equals the next, so neither exact search nor one with interruptions sees them, and they say as little. A
stretch of code that long has at least three different words and signs; only literals of one value ("0, 0, 0, 0") have
two.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ALPHABET = 2
"""Different words and signs that such a loop is made of; one that has a period is found by it, however many it has."""


@dataclass(frozen=True, slots=True)
class Babble:
    """Words ``start`` to ``end`` (exclusive), and the pair of neighbours that comes most often."""

    start: int
    end: int
    pair: tuple[str, str]


def find_babble(words: Sequence[str], min_length: int) -> Babble | None:
    """Return the longest stretch of at least ``min_length`` of ``words`` that has ``ALPHABET`` different ones at most.

    ``words`` are without blanks. None where there is no such stretch.
    """
    counts: Counter[str] = Counter()
    first = start = end = 0
    for at, word in enumerate(words):
        counts[word] += 1
        while len(counts) > ALPHABET:
            counts[words[first]] -= 1
            if not counts[words[first]]:
                del counts[words[first]]
            first += 1
        if at + 1 - first > end - start:
            start, end = first, at + 1
    if end - start < max(2, min_length):
        return None
    pairs = Counter(zip(words[start:end], words[start + 1 : end], strict=False))
    different = [pair for pair, _ in pairs.most_common() if pair[0] != pair[1]]
    return Babble(start, end, different[0] if different else (words[start], words[start]))
