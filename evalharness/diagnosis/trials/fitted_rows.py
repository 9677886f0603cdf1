"""A few rows of an embedding, trained for some steps on rows of the training data with all else frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.losses.counted_losses import rows_with_end
from evalharness.diagnosis.trials.swapping import swapped_tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.subject import Subject

ROWS, STEPS, AT_ONCE = 64, 48, 8
WORK = 1e13
"""Floating-point operations that a fit may cost: some minutes of a laptop."""
RATE = 0.15
"""The step of Adam at first, as a share of the root mean square of the embedding's values."""


def affordable(subject: Subject) -> bool:
    """Whether a fit costs no more than it may, and the model can be run with gradients."""
    if not hasattr(subject.torch_model, "differentiable_logits"):
        return False
    rows = [] if subject.train is None else evenly(subject.train.encoded, ROWS)
    tokens = sum(len(row.ids) for row in rows) / max(1, len(rows)) * STEPS * AT_ONCE
    return 6.0 * tokens * sum(p.numel() for p in subject.torch_model.module.parameters()) <= WORK


def fitted_rows(subject: Subject, paths: Sequence[str], ids: Sequence[int]) -> Tensor:
    """The embedding ``(vocabulary, width)`` with the rows ``ids`` fitted; ``paths`` are all names of its weight.

    Adam (Kingma and Ba 2015) with a rate that falls to zero. Never sees a validation row.
    """
    model: Any = subject.torch_model
    weight: Tensor = model.module.get_parameter(paths[0]).detach().clone()
    rows = evenly(rows_with_end(subject, subject.train), ROWS) if subject.train is not None else ()
    chosen = torch.tensor(list(ids), device=weight.device)
    first, second = torch.zeros(2, len(ids), weight.shape[1], device=weight.device).unbind()
    rate = RATE * float(weight.float().square().mean().sqrt())
    with swapped_tensors(model.module, dict.fromkeys(paths, weight)):
        for step in range(STEPS):
            batch = [rows[(step * AT_ONCE + i) % len(rows)] for i in range(AT_ONCE)]
            gradient = _gradient(model, paths, batch)[chosen].float()
            first.mul_(0.9).add_(gradient, alpha=0.1)
            second.mul_(0.95).addcmul_(gradient, gradient, value=0.05)
            unbiased = (second / (1 - 0.95 ** (step + 1))).sqrt() + 1e-8
            move = rate * (1 - step / STEPS) * (first / (1 - 0.9 ** (step + 1))) / unbiased
            weight[chosen] -= move.to(weight.dtype)
    return weight


def _gradient(model: Any, paths: Sequence[str], rows: Sequence[TokenRow]) -> Tensor:
    """Of the mean loss of some rows to the weight, through every place that it stands in."""
    places = [model.module.get_parameter(path) for path in paths]
    with torch.enable_grad():
        for place in places:
            place.requires_grad_(True)
        total: Tensor = torch.zeros((), device=places[0].device)
        for row in rows:
            ids = torch.tensor([row.ids], device=model.device)
            total = total + functional.cross_entropy(model.differentiable_logits(ids[:, :-1])[0], ids[0, 1:])
        gradients = torch.autograd.grad(total / len(rows), places, allow_unused=True)
    parts = [part for part in gradients if part is not None]
    return torch.stack(parts).sum(dim=0)
