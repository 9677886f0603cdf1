"""Generation without a cache: every forward pass is over whole rows.

Causal models get several drafted tokens judged in one pass, and rows padded on the right. Models that see the future,
or may, run at exact lengths: the rows of one forward pass all have the same length and nothing stands behind them.
Either way rows with the same ids are computed once, which greedy and sampled completions of one problem have for long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from evalharness.generation.padding import padded_right
from evalharness.generation.settling import Guess, Settler
from evalharness.models.protocols import keeps_few, tail_logits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.generation.prompting import Settings
    from evalharness.generation.row import Row
    from evalharness.models.protocols import TorchModel

WINDOW_BATCHES = 4
"""Rows under way at once, in batches: enough to find rows of one length, few enough that some finish soon."""
SHORTEST_DRAFT = 6
"""A few tokens more cost little beside the whole row that every pass computes."""


class ParallelEngine:
    """Writes rows with a model that is asked for all positions at once."""

    def __init__(self, model: TorchModel, allowed: torch.Tensor | None, settings: Settings) -> None:
        self._model = model
        self._settings = settings
        self._settler = Settler(model, allowed, settings, SHORTEST_DRAFT)

    def run(self, rows: list[Row]) -> Iterator[Row]:
        """Yield each of ``rows`` once it is finished. The shortest go first, so that lengths stay close together."""
        waiting = sorted(rows, key=lambda row: len(row.ids), reverse=True)
        window: list[Row] = []
        while waiting or window:
            while waiting and len(window) < WINDOW_BATCHES * self._settings.batch_size:
                window.append(waiting.pop())
                self._settler.learn(window[-1])
            self._step(window)
            yield from (row for row in window if row.stop_reason)
            window = [row for row in window if not row.stop_reason]

    def _step(self, window: list[Row]) -> None:
        """One forward pass, and every token that it settles."""
        inputs = self._next_inputs(window)
        ids, _ = padded_right([(*text, *draft) for text, draft in inputs])
        first = min(len(text) for text, _ in inputs) - 1
        logits = tail_logits(self._model, ids.to(self._model.device), ids.shape[1] - first)
        needed = [
            logits[i, len(text) - 1 - first : len(text) - first + len(draft)] for i, (text, draft) in enumerate(inputs)
        ]
        self._settler.settle(torch.cat(needed), [Guess(tuple(rows), draft) for (_, draft), rows in inputs.items()])

    def _next_inputs(self, window: list[Row]) -> dict[tuple[tuple[int, ...], tuple[int, ...]], list[Row]]:
        """Up to a batch of different texts with their drafts, the shortest first, each with the rows that it serves."""
        window.sort(key=lambda row: len(row.ids))
        inputs: dict[tuple[tuple[int, ...], tuple[int, ...]], list[Row]] = {}
        width = 0
        for row in window:
            if self._settings.exact_lengths and len(row.ids) != len(window[0].ids):
                break
            ids, draft = tuple(row.ids), self._settler.guess(row)
            width = max(width, len(ids) + len(draft))
            if (ids, draft) not in inputs and len(inputs) >= self._at_once(len(window[0].ids), width):
                break
            inputs.setdefault((ids, draft), []).append(row)
        return inputs

    def _at_once(self, shortest: int, width: int) -> int:
        """How many rows a pass takes that is so wide: a batch of them, or fewer where their logits need more room."""
        positions = width - shortest + 1 if keeps_few(self._model) else width
        return self._settings.rows_at_once(positions * self._model.vocabulary_rows)
