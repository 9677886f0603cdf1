"""Whether rows are pieces of longer texts, cut to one length: where such a row ends no text does."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.diagnosis.subject import Split

FEWEST_ROWS = 8
MOST = 0.8
"""Texts of one length are rare; of pieces all are but the last one of each text."""
SHORTEST = 16
"""Rows of fewer characters or words may well be all of one length, such as dates."""
_LENGTHS: tuple[tuple[str, Callable[[str], int]], ...] = (
    ("characters", len),
    ("bytes", lambda text: len(text.encode())),
    ("words", lambda text: len(text.split())),
)


def equal_pieces(split: Split) -> str | None:
    """The length that most rows without a prompt have alike ("200 characters"); None if they have no such length."""
    texts = [row.completion for row in split.rows if not row.prompt]
    if len(texts) < max(FEWEST_ROWS, MOST * len(split.rows)):
        return None
    measured = [(unit, [count(text) for text in texts]) for unit, count in _LENGTHS]
    measured.append(("tokens", [row.tokens for row in split.encoded]))
    return next((f"{length} {unit}" for unit, lengths in measured if (length := _usual(lengths))), None)


def _usual(lengths: Sequence[int]) -> int | None:
    """The length of most."""
    length, count = Counter(lengths).most_common(1)[0] if lengths else (0, 0)
    return length if length >= SHORTEST and count >= MOST * len(lengths) else None
