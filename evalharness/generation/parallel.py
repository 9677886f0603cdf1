"""Generation without a cache: every forward pass is over whole rows.

Causal models get several drafted tokens judged in one pass, and rows padded on the right. Models that see the future,
or may, run at exact lengths: the rows of one forward pass all have the same length and nothing stands behind them.
Either way rows with the same ids are computed once, which greedy and sampled completions of one problem have for long.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from evalharness.generation.decoding import Choice, Decoding, Distributions
from evalharness.generation.drafts import Drafts
from evalharness.generation.reference import Reference
from evalharness.generation.request import Settings
from evalharness.generation.row import Row
from evalharness.interfaces import LanguageModel

WINDOW_BATCHES = 4
"""Rows under way at once, in batches: enough to find rows of one length, few enough that some finish soon."""
LONGEST_DRAFT = 64


@dataclass(frozen=True, slots=True)
class _Input:
    """The ids of one row of a forward pass, the last ``drafted`` of which are guesses."""

    ids: tuple[int, ...]
    drafted: int


class ParallelEngine:
    """Writes rows with a model that is asked for all positions at once."""

    def __init__(self, model: LanguageModel, allowed: torch.Tensor | None, settings: Settings) -> None:
        self._model = model
        self._allowed = allowed
        self._settings = settings
        self._drafts = Drafts() if settings.drafts and not settings.exact_lengths else None
        self._reference = Reference(model, allowed)
        self.forwards = 0

    def run(self, rows: list[Row]) -> Iterator[Row]:
        """Yield each of ``rows`` once it is finished. The shortest go first, so that lengths stay close together."""
        waiting = sorted(rows, key=lambda row: len(row.ids), reverse=True)
        window: list[Row] = []
        while waiting or window:
            while waiting and len(window) < WINDOW_BATCHES * self._settings.batch_size:
                window.append(waiting.pop())
                if self._drafts:
                    self._drafts.learn(window[-1].ids)
            inputs = self._next_inputs(window)
            self._step(inputs)
            yield from (row for row in window if row.stop_reason)
            window = [row for row in window if not row.stop_reason]

    def _next_inputs(self, window: list[Row]) -> dict[_Input, list[Row]]:
        """Up to a batch of different inputs, the shortest first, each with the rows that it serves."""
        window.sort(key=lambda row: len(row.ids))
        inputs: dict[_Input, list[Row]] = {}
        for row in window:
            if self._settings.exact_lengths and len(row.ids) != len(window[0].ids):
                break
            entry = self._input_of(row)
            if entry not in inputs and len(inputs) == self._settings.batch_size:
                break
            inputs.setdefault(entry, []).append(row)
        return inputs

    def _input_of(self, row: Row) -> _Input:
        draft = self._drafts.guess(row.ids, min(row.draft_length, row.room - 1)) if self._drafts else []
        return _Input((*row.ids, *draft), len(draft))

    def _step(self, inputs: dict[_Input, list[Row]]) -> None:
        """One forward pass, and every token that it settles."""
        distributions, first = self._distributions(list(inputs))
        picks: dict[Decoding, list[tuple[Row, int, int]]] = {}
        for entry, rows in inputs.items():
            for row in rows:
                places = picks.setdefault(row.request.decoding, [])
                places += [(row, first[entry] + ahead, ahead) for ahead in range(entry.drafted + 1)]
        choices: dict[int, list[Choice]] = {}
        for decoding, places in picks.items():
            uniforms = [row.uniform(ahead) for row, _, ahead in places]
            for place, choice in zip(
                places, distributions.pick(decoding, [p for _, p, _ in places], uniforms), strict=True
            ):
                choices.setdefault(id(place[0]), []).append(choice)
        for entry, rows in inputs.items():
            for row in rows:
                self._accept(row, entry, choices[id(row)])

    def _distributions(self, inputs: list[_Input]) -> tuple[Distributions, dict[_Input, int]]:
        """The distributions after each input's own ids and after each of its drafted tokens, and where each begins."""
        longest = max(len(entry.ids) for entry in inputs)
        ids = torch.zeros((len(inputs), longest), dtype=torch.long)
        for i, entry in enumerate(inputs):
            ids[i, : len(entry.ids)] = torch.tensor(entry.ids)
        logits = self._model.logits(ids.to(self._model.device))
        self.forwards += 1
        parts = [logits[i, len(e.ids) - e.drafted - 1 : len(e.ids)] for i, e in enumerate(inputs)]
        first, total = {}, 0
        for entry, part in zip(inputs, parts, strict=True):
            first[entry] = total
            total += len(part)
        return Distributions(torch.cat(parts), self._allowed, self._settings.noise_nats), first

    def _accept(self, row: Row, entry: _Input, choices: list[Choice]) -> None:
        """Append the drawn tokens as long as each was drawn after text that the row really has."""
        begun = len(row.ids)
        for ahead, choice in enumerate(choices):
            settled = choice if choice.certain else self._reference.choose(row)
            row.append(settled)
            drafted = entry.ids[len(entry.ids) - entry.drafted + ahead] if ahead < entry.drafted else None
            if row.stop_reason or settled.token_id != drafted:
                break
        accepted = len(row.ids) - begun
        row.draft_length = min(2 * row.draft_length, LONGEST_DRAFT) if accepted > entry.drafted else max(4, accepted + 2)
        if self._drafts:
            self._drafts.learn(row.ids, begun)
