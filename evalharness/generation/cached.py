"""Generation with a key-value cache, for causal models whose forward pass takes one.

Prompts are padded on the right and the padding is masked out of the cache, so that every row keeps its own positions.
Completions of one problem share the computation of its prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from evalharness.generation.decoding import Choice, Decoding, Distributions
from evalharness.generation.reference import Reference
from evalharness.generation.request import Settings
from evalharness.generation.row import Row
from evalharness.interfaces import LanguageModel


class CachedEngine:
    """Writes rows in fixed batches; a row that has ended leaves its batch."""

    def __init__(self, model: LanguageModel, allowed: torch.Tensor | None, settings: Settings) -> None:
        self._model = model
        self._allowed = allowed
        self._settings = settings
        self._reference = Reference(model, allowed)

    def run(self, rows: list[Row]) -> Iterator[Row]:
        """Yield each of ``rows`` once it is finished, batch by batch, the shortest prompts first."""
        ordered = sorted(rows, key=lambda row: len(row.ids))
        for begin in range(0, len(ordered), self._settings.batch_size):
            yield from self._batch(ordered[begin : begin + self._settings.batch_size])

    def _batch(self, rows: list[Row]) -> Iterator[Row]:
        logits, cache, held = self._read_prompts(rows)
        while True:
            self._draw(rows, logits)
            yield from (row for row in rows if row.stop_reason)
            going_on = [i for i, row in enumerate(rows) if not row.stop_reason]
            if not going_on:
                return
            if len(going_on) < len(rows):
                rows = [rows[i] for i in going_on]
                index = torch.tensor(going_on, device=self._model.device)
                cache.batch_select_indices(index)
                held = held[index]
            held = torch.cat((held, held.new_ones((len(rows), 1))), dim=1)
            ids = torch.tensor([[row.ids[-1]] for row in rows], device=self._model.device)
            positions = torch.tensor([[len(row.ids) - 1] for row in rows], device=self._model.device)
            output, cache = self._model.cached_logits(ids, held, positions, cache)
            logits = output[:, -1]

    def _read_prompts(self, rows: list[Row]) -> tuple[torch.Tensor, Any, torch.Tensor]:
        """Logits after each prompt, the cache that holds them, and which of its slots hold a token of which row."""
        prompts = list(dict.fromkeys(tuple(row.ids) for row in rows))
        longest = max(map(len, prompts))
        ids = torch.zeros((len(prompts), longest), dtype=torch.long)
        held = torch.zeros((len(prompts), longest), dtype=torch.long)
        for i, prompt in enumerate(prompts):
            ids[i, : len(prompt)] = torch.tensor(prompt)
            held[i, : len(prompt)] = 1
        positions = torch.arange(longest).expand(len(prompts), -1)
        device = self._model.device
        output, cache = self._model.cached_logits(ids.to(device), held.to(device), positions.to(device), None)
        index = torch.tensor([prompts.index(tuple(row.ids)) for row in rows], device=device)
        last = torch.tensor([len(row.ids) - 1 for row in rows], device=device)
        if len(prompts) < len(rows):
            cache.batch_select_indices(index)
        return output[index, last], cache, held.to(device)[index]

    def _draw(self, rows: list[Row], logits: torch.Tensor) -> None:
        task_ids = [row.request.task_id for row in rows]
        distributions = Distributions(logits, self._allowed, self._settings.noise_nats, task_ids)
        entropies = distributions.entropies(range(len(rows)))
        by_decoding: dict[Decoding, list[int]] = {}
        for i, row in enumerate(rows):
            by_decoding.setdefault(row.request.decoding, []).append(i)
        for decoding, places in by_decoding.items():
            drawn = distributions.draw(decoding, places, [rows[i].uniform(0) for i in places])
            for i, (token_id, certain) in zip(places, drawn, strict=True):
                nats, sure = entropies[i]
                choice = Choice(token_id, nats, certain and sure)
                rows[i].append(choice if choice.certain else self._reference.choose(rows[i]))
