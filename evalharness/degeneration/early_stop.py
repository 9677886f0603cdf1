"""Whether a growing sequence ends in a loop, asked after each token: what generation needs to stop early."""

from __future__ import annotations

import numpy as np

from evalharness.degeneration.loops import MAX_TOKEN_PERIOD

STOP_TOKENS = 64
"""Tokens that a loop has to cover before generation is cut: half as many again as it takes to count as degenerate
(serving engines: 48), so that every completion that is cut also counts."""

STOP_COPIES = 4
"""Copies that it has to show (serving engines: 3 or 4)."""


class LoopDetector:
    """Watches one sequence of token ids and tells when it ends in an exact loop.

    For each period the watcher keeps how many of the latest tokens equal the one a period before them, so a token costs
    a few operations on ``max_period`` numbers (about 6 µs), however long the sequence is.
    """

    __slots__ = ("_front", "_needed", "_recent", "_runs")

    def __init__(self, max_period: int = MAX_TOKEN_PERIOD) -> None:
        if max_period < 1:
            raise ValueError(f"max_period {max_period}: expected at least 1")
        periods = np.arange(1, max_period + 1)
        self._needed = np.maximum(STOP_TOKENS, STOP_COPIES * periods) - periods
        self._runs = np.zeros(max_period, dtype=np.int64)
        # Filled from the back to the front, so that a plain slice has the latest token first. The filler is no token.
        self._recent = np.full(16 * max_period, np.iinfo(np.int64).min)
        self._front = len(self._recent) - max_period

    def append(self, token_id: int) -> tuple[int, int] | None:
        """Take the next token; return ``(period, length)`` in tokens where the sequence now ends in a loop.

        ``period`` is primitive, ``length`` covers all copies with a torn first one. None until the loop has at least
        ``STOP_TOKENS`` tokens and ``STOP_COPIES`` copies.
        """
        runs, max_period = self._runs, len(self._runs)
        runs += 1
        runs *= self._recent[self._front : self._front + max_period] == token_id
        if self._front == 0:
            self._front = len(self._recent) - max_period
            self._recent[self._front :] = self._recent[:max_period]
        self._front -= 1
        self._recent[self._front] = token_id
        looping = runs >= self._needed
        # The primitive period is the shortest: whatever a multiple of it covers, it covers too.
        shortest = int(looping.argmax())
        return (shortest + 1, int(runs[shortest]) + shortest + 1) if looping[shortest] else None
