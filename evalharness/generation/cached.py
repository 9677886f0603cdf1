"""Generation with a key-value cache, for causal models whose forward pass takes one.

Prompts are padded on the right and the padding is masked out of the cache, so that every row keeps its own positions;
drafted tokens that turn out wrong are masked out likewise. Completions of one problem share the computation of its
prompt.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch

from evalharness.generation.freed_memory import STEPS_BETWEEN, give_back_freed_memory
from evalharness.generation.padding import padded_right
from evalharness.generation.settling import LONGEST_DRAFT, Guess, Settler
from evalharness.models.protocols import cached_logits_at, keeps_few

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.generation.prompting import Settings
    from evalharness.generation.row import Row
    from evalharness.models.protocols import TorchModel

SHORTEST_DRAFT = 2
"""A drafted token costs as much as any other here; only what a pass costs however few tokens it has is saved."""


class CachedEngine:
    """Writes rows in batches; a row that has ended leaves its batch."""

    def __init__(self, model: TorchModel, allowed: torch.Tensor | None, settings: Settings) -> None:
        self._model = model
        self._settings = settings
        self._settler = Settler(model, allowed, settings, SHORTEST_DRAFT, cached=True)

    def run(self, rows: list[Row]) -> Iterator[Row]:
        """Yield each of ``rows`` once it is finished, batch by batch, the shortest prompts first."""
        ordered = sorted(rows, key=lambda row: len(row.ids))
        while ordered:
            at_once = self._at_once([len(row.ids) for row in ordered[: self._settings.batch_size]])
            batch, ordered = ordered[:at_once], ordered[at_once:]
            yield from self._batch(batch)

    def _at_once(self, lengths: list[int]) -> int:
        """How many rows of such ``lengths``, in ascending order, are read together: fewer if their logits need room."""
        positions = len(set(lengths)) if keeps_few(self._model) else lengths[-1]
        return self._settings.rows_at_once(positions * self._model.vocabulary_rows)

    def _longest_draft(self, rows: int) -> int:
        """How many drafted tokens of each of ``rows`` may be read in one pass beside the last token."""
        most = self._settings.most_logits
        return LONGEST_DRAFT if most is None else max(0, most // (rows * self._model.vocabulary_rows) - 1)

    def _batch(self, rows: list[Row]) -> Iterator[Row]:
        cache, mask = self._read_prompts(rows)
        for step in itertools.count(1):
            if step % STEPS_BETWEEN == 0:
                give_back_freed_memory()
            yield from (row for row in rows if row.stop_reason)
            going_on = [i for i, row in enumerate(rows) if not row.stop_reason]
            if not going_on:
                return
            if len(going_on) < len(rows):
                rows = [rows[i] for i in going_on]
                index = torch.tensor(going_on, device=self._model.device)
                cache.batch_select_indices(index)
                mask = mask[index]
            cache, mask = self._step(rows, cache, mask)

    def _read_prompts(self, rows: list[Row]) -> tuple[Any, torch.Tensor]:
        """Draw each row's first token; return the cache, and which of its slots hold a token of which row."""
        by_prompt: dict[tuple[int, ...], list[Row]] = {}
        for row in rows:
            self._settler.learn(row)
            by_prompt.setdefault(tuple(row.ids), []).append(row)
        prompts = list(by_prompt)
        device = self._model.device
        ids, mask = (part.to(device) for part in padded_right(prompts))
        positions = torch.arange(ids.shape[1], device=device).expand(len(prompts), -1)
        # What serves which row has to be known before the rows grow.
        index = torch.tensor([prompts.index(tuple(row.ids)) for row in rows], device=device)
        places = sorted({len(prompt) - 1 for prompt in prompts})
        output, cache = cached_logits_at(self._model, ids, mask, positions, None, torch.tensor(places, device=device))
        at = [places.index(len(prompt) - 1) for prompt in prompts]
        needed = [output[i, place : place + 1] for i, place in enumerate(at)]
        self._settler.settle(torch.cat(needed), [Guess(tuple(served), ()) for served in by_prompt.values()])
        if len(prompts) < len(rows):
            cache.batch_select_indices(index)
        return cache, mask[index]

    def _step(self, rows: list[Row], cache: Any, mask: torch.Tensor) -> tuple[Any, torch.Tensor]:
        """One forward pass over the last token of each row and what is drafted behind it."""
        drafts = [self._settler.guess(row) for row in rows]
        # A pass is as wide as its widest row, and the slowest row says how many there are: drafts pay if all have one.
        narrowest = min(self._longest_draft(len(rows)), *map(len, drafts))
        drafts = [draft[:narrowest] for draft in drafts]
        before = [len(row.ids) for row in rows]
        ids, new = padded_right([(row.ids[-1], *draft) for row, draft in zip(rows, drafts, strict=True)])
        width = ids.shape[1]
        positions = torch.tensor(before).unsqueeze(1) - 1 + torch.arange(width)
        if self._model.context_length is not None:
            # What is padded behind a short draft has a place beyond the row, where there may be none.
            positions.clamp_(max=self._model.context_length - 1)
        device = self._model.device
        output, cache = self._model.cached_logits(
            ids.to(device), torch.cat((mask, new.to(device)), dim=1), positions.to(device), cache
        )
        # Drafts are equally long, so nothing is padding: all of it is looked at where it is, without a copy.
        self._settler.settle(
            output.flatten(0, 1), [Guess((row,), draft) for row, draft in zip(rows, drafts, strict=True)]
        )
        # A pass over one token and n drafted ones that settles m tokens has put m of them into the cache for good.
        settled = torch.tensor([[len(row.ids) - length] for row, length in zip(rows, before, strict=True)])
        right = (torch.arange(width) < settled).long()
        return cache, torch.cat((mask, right.to(device)), dim=1)
