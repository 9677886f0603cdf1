"""Guesses at the next tokens, from what has been written before.

A guess costs nothing to check in a model without a cache: one forward pass judges all of them at once. With keyed noise
a guess never changes what is written, only how many passes it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTEXTS = (12, 7, 4, 3, 2, 1)
"""How many tokens a guess looks back, longest first: the longer the match, the better the guess."""


class Drafts:
    """What followed each short context when it was last seen, in any text of this run."""

    __slots__ = ("_after", "_contexts")

    def __init__(self, shortest: int = 1) -> None:
        """``shortest``: how many tokens have to match; what followed fewer is guessed wrong more often."""
        self._contexts = tuple(size for size in CONTEXTS if size >= shortest)
        self._after: tuple[dict[tuple[int, ...], int], ...] = tuple({} for _ in self._contexts)

    def learn(self, ids: Sequence[int], start: int = 0) -> None:
        """Remember what followed what in ``ids``, for the tokens from ``start`` on."""
        for size, after in zip(self._contexts, self._after, strict=True):
            for i in range(max(start, size), len(ids)):
                after[tuple(ids[i - size : i])] = ids[i]

    def guess(self, ids: Sequence[int], count: int) -> list[int]:
        """Up to ``count`` tokens that may follow ``ids``."""
        text = list(ids[-CONTEXTS[0] :])
        known = len(text)
        while len(text) - known < count:
            token = self._next(text)
            if token is None:
                break
            text.append(token)
        return text[known:]

    def _next(self, text: list[int]) -> int | None:
        for size, after in zip(self._contexts, self._after, strict=True):
            if len(text) >= size and (token := after.get(tuple(text[-size:]))) is not None:
                return token
        return None
