"""The pass that decides where rounding could: the row alone, at its exact length, in double precision."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from evalharness.generation.decoding import Choice, Distributions
from evalharness.generation.kept_caches import KeptCaches
from evalharness.models.protocols import cached_logits_at, last_logits

if TYPE_CHECKING:
    from evalharness.generation.row import Row
    from evalharness.models.protocols import TorchModel

LARGEST_COPY = 500_000_000
"""Parameters up to which a copy in double precision is made (4 GB); larger models decide in their own precision."""
KEPT_BYTES = 2**28
"""Keys and values that are kept in double precision: 100 KB for each token in a model of 0.1 B parameters."""
TIE_DECIMALS = 9
"""Logits that agree to this number of decimals are ties; the lowest id wins."""


class Reference:
    """A copy of a model in float64, made when it is first needed.

    Logits in float32 differ in their last digits between batch shapes, drafts, caches and numbers of threads. In
    float64 what is left of that is some 10^-13 nats, which a random number of 53 bits does not meet. A module that
    can't be copied or run in float64 decides in its own precision. ``cached``: the model has a cache that may be used.
    """

    def __init__(self, model: TorchModel, allowed: torch.Tensor | None, *, cached: bool = False) -> None:
        self._model = model
        self._allowed = allowed
        self._cached = cached
        self._double: TorchModel | None = None
        self._kept = KeptCaches(KEPT_BYTES)

    def choose(self, row: Row) -> Choice:
        """The next token of ``row``. Raises :class:`EvaluationError` where the logits are NaN."""
        ids = torch.tensor([row.ids], device=self._model.device)
        logits = self._with_cache(row, ids) if self._cached else last_logits(self._copy(ids), ids)
        # Tokens with the same embedding have the same logit but for rounding, which must not decide between them.
        logits = logits.double().round(decimals=TIE_DECIMALS)
        distributions = Distributions(logits, self._allowed, 0.0, [row.request.task_id])
        return distributions.choose(row.request.decoding, 0, row.uniform(0))

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits ``(rows, length, vocabulary)`` in the highest precision that can be had."""
        return self._copy(ids).logits(ids)

    def _with_cache(self, row: Row, ids: torch.Tensor) -> torch.Tensor:
        """The logits ``(1, vocabulary)`` after a row: only what was written since it was last asked is read.

        The completions of one problem share the reading of its prompt.
        """
        prompt = tuple(row.ids[: row.prompt_length - 1])
        held, cache = self._kept.taken(row) or self._kept.copied(prompt) or (0, None)
        if not held and row.prompt_length > 1:
            held = row.prompt_length - 1
            _, cache = self._read(ids[:, :held], 0, None)
            self._kept.keep(prompt, held, copy.deepcopy(cache))
        logits, cache = self._read(ids, held, cache)
        self._kept.keep(row, ids.shape[1], cache)
        return logits[:, -1]

    def _read(self, ids: torch.Tensor, held: int, cache: Any) -> tuple[torch.Tensor, Any]:
        """The logits ``(1, 1, vocabulary)`` after ``ids``, the first ``held`` of which ``cache`` has; and the cache."""
        mask, positions = torch.ones_like(ids), torch.arange(ids.shape[1], device=ids.device)[None]
        last = torch.tensor([ids.shape[1] - held - 1], device=ids.device)
        return cached_logits_at(self._copy(ids), ids[:, held:], mask, positions[:, held:], cache, last)

    def _copy(self, ids: torch.Tensor) -> TorchModel:
        if self._double is None:
            self._double = self._copied(ids)
        return self._double

    def _copied(self, ids: torch.Tensor) -> TorchModel:
        if sum(p.numel() for p in self._model.module.parameters()) > LARGEST_COPY or self._model.device.type == "mps":
            return self._model
        try:
            twin = copy.deepcopy(self._model)
            twin.module.double()
            last_logits(twin, ids[:, :1])
        except Exception:  # noqa: BLE001 - user code may refuse in any way, and then its own precision is what there is
            return self._model
        return twin
