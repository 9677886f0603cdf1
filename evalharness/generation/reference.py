"""The pass that decides where rounding could: the row alone, at its exact length, in double precision."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from evalharness.generation.decoding import Choice, Distributions

if TYPE_CHECKING:
    from evalharness.generation.row import Row
    from evalharness.models.protocols import TorchModel

LARGEST_COPY = 500_000_000
"""Parameters up to which a copy in double precision is made (4 GB); larger models decide in their own precision."""
TIE_DECIMALS = 9
"""Logits that agree to this number of decimals are ties; the lowest id wins."""


class Reference:
    """A copy of a model in float64, made when it is first needed.

    Logits in float32 differ in their last digits between batch shapes, drafts, caches and numbers of threads. In
    float64 what is left of that is some 10^-13 nats, which a random number of 53 bits does not meet. A module that
    can't be copied or run in float64 decides in its own precision.
    """

    def __init__(self, model: TorchModel, allowed: torch.Tensor | None) -> None:
        self._model = model
        self._allowed = allowed
        self._double: TorchModel | None = None

    def choose(self, row: Row) -> Choice:
        """The next token of ``row``. Raises :class:`EvaluationError` where the logits are NaN."""
        ids = torch.tensor([row.ids], device=self._model.device)
        # Tokens with the same embedding have the same logit but for rounding, which must not decide between them.
        logits = self.logits(ids)[:, -1].double().round(decimals=TIE_DECIMALS)
        distributions = Distributions(logits, self._allowed, 0.0, [row.request.task_id])
        return distributions.choose(row.request.decoding, 0, row.uniform(0))

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits ``(rows, length, vocabulary)`` in the highest precision that can be had."""
        if self._double is None:
            self._double = self._copied(ids)
        return self._double.logits(ids)

    def _copied(self, ids: torch.Tensor) -> TorchModel:
        if sum(p.numel() for p in self._model.module.parameters()) > LARGEST_COPY or self._model.device.type == "mps":
            return self._model
        try:
            twin = copy.deepcopy(self._model)
            twin.module.double()
            twin.logits(ids)
        except Exception:  # noqa: BLE001 - user code may refuse in any way, and then its own precision is what there is
            return self._model
        return twin
