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
SHORTEST_DRAFT, LONGEST_DRAFT = 6, 64


@dataclass(frozen=True, slots=True)
class _Input:
    """The ids of one row of a forward pass, the last ``drafted`` of which are guesses."""

    ids: tuple[int, ...]
    drafted: int

    @property
    def draft(self) -> tuple[int, ...]:
        """The guesses."""
        return self.ids[len(self.ids) - self.drafted :]


class ParallelEngine:
    """Writes rows with a model that is asked for all positions at once."""

    def __init__(self, model: LanguageModel, allowed: torch.Tensor | None, settings: Settings) -> None:
        self._model = model
        self._allowed = allowed
        self._settings = settings
        self._drafts = Drafts() if settings.drafts and not settings.exact_lengths else None
        self._reference = Reference(model, allowed)

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
        distributions, first = self._distributions(inputs)
        drawn = self._draw(inputs, distributions, first)
        # The entropy costs more than the token: it is computed only as far as the drafts hold.
        reach = {row: _reach(entry, drawn[row]) for entry, rows in inputs.items() for row in rows}
        wanted = sorted({first[entry] + i for entry, rows in inputs.items() for row in rows for i in range(reach[row])})
        entropies = dict(zip(wanted, distributions.entropies(wanted), strict=True))
        for entry, rows in inputs.items():
            for row in rows:
                choices = [
                    Choice(token, entropies[first[entry] + i][0], sure and entropies[first[entry] + i][1])
                    for i, (token, sure) in enumerate(drawn[row][: reach[row]])
                ]
                self._accept(row, entry, choices)

    def _distributions(self, inputs: dict[_Input, list[Row]]) -> tuple[Distributions, dict[_Input, int]]:
        """The distributions after each input's own ids and after each of its drafted tokens, and where each begins."""
        ids = torch.zeros((len(inputs), max(len(entry.ids) for entry in inputs)), dtype=torch.long)
        for i, entry in enumerate(inputs):
            ids[i, : len(entry.ids)] = torch.tensor(entry.ids)
        logits = self._model.logits(ids.to(self._model.device))
        parts, first, task_ids = [], {}, []
        for i, (entry, rows) in enumerate(inputs.items()):
            first[entry] = len(task_ids)
            parts.append(logits[i, len(entry.ids) - entry.drafted - 1 : len(entry.ids)])
            task_ids += [rows[0].request.task_id] * (entry.drafted + 1)
        return Distributions(torch.cat(parts), self._allowed, self._settings.noise_nats, task_ids), first

    @staticmethod
    def _draw(
        inputs: dict[_Input, list[Row]], distributions: Distributions, first: dict[_Input, int]
    ) -> dict[Row, list[tuple[int, bool]]]:
        """What each row would draw next, and after each of its drafted tokens; and whether that is certain."""
        places: dict[Decoding, list[tuple[Row, int, float]]] = {}
        for entry, rows in inputs.items():
            for row in rows:
                of_decoding = places.setdefault(row.request.decoding, [])
                greedy = row.request.decoding.name == "greedy"
                for i in range(entry.drafted + 1):
                    of_decoding.append((row, first[entry] + i, 0.0 if greedy else row.uniform(i)))
        drawn: dict[Row, list[tuple[int, bool]]] = {}
        for decoding, wanted in places.items():
            rows_of, positions, uniforms = zip(*wanted, strict=True)
            for row, token in zip(rows_of, distributions.draw(decoding, positions, uniforms), strict=True):
                drawn.setdefault(row, []).append(token)
        return drawn

    def _accept(self, row: Row, entry: _Input, choices: list[Choice]) -> None:
        """Append the drawn tokens as long as each was drawn after text that the row really has."""
        begun = len(row.ids)
        for choice, drafted in zip(choices, [*entry.draft, None], strict=False):
            settled = choice if choice.certain else self._reference.choose(row)
            row.append(settled)
            if row.stop_reason or settled.token_id != drafted:
                break
        accepted = len(row.ids) - begun
        if accepted > entry.drafted:
            # Nothing was guessed wrong; but a guess that ended by itself says nothing of longer ones.
            row.draft_length = min(2 * row.draft_length, LONGEST_DRAFT) if entry.drafted == row.draft_length else row.draft_length
        else:
            row.draft_length = max(SHORTEST_DRAFT, accepted + 2)
        if self._drafts:
            self._drafts.learn(row.ids, begun)


def _reach(entry: _Input, drawn: list[tuple[int, bool]]) -> int:
    """How many of the tokens drawn may count: up to the first that is certain and not what was drafted."""
    for i, (drafted, (token_id, certain)) in enumerate(zip(entry.draft, drawn, strict=False)):
        if certain and token_id != drafted:
            return i + 1
    return len(drawn)
