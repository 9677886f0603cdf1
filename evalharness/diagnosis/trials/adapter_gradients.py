"""Which weights of an adapter get a gradient from rows of text, as the model is loaded here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.trials.real_inputs import real_inputs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from evalharness.diagnosis.subject import Subject

ROWS = 4
"""Rows whose loss is differentiated: each weight that text reaches gets a gradient from any of them."""
LONGEST = 256
"""Ids of a row: the graph of all its positions is kept."""


def with_gradient(subject: Subject, names: Iterable[str]) -> frozenset[str] | None:
    """Of adapted weights by ``names`` those whose second factor, B, gets a gradient that is not zero.

    A weight that text does not reach gets none: an expert that is never chosen, a tower for images. None where it can't
    be told: the model gives no graph, or its parameters have other names.
    """
    factors = _second_factors(subject, names)
    rows = [row[:LONGEST] for row in evenly(real_inputs(subject), ROWS)]
    if not factors or not rows or not hasattr(subject.torch_model, "differentiable_logits"):
        return None
    model: Any = subject.torch_model
    tensors = list(factors.values())
    asked_before = [tensor.requires_grad for tensor in tensors]
    try:
        with torch.enable_grad():
            for tensor in tensors:
                tensor.requires_grad_(True)
            total = torch.stack([_loss(model, torch.tensor([row], device=model.device)) for row in rows]).sum()
            if not total.requires_grad:
                return frozenset()  # None of them is part of the forward pass.
            gradients = torch.autograd.grad(total, tensors, allow_unused=True)
    finally:
        for tensor, before in zip(tensors, asked_before, strict=True):
            tensor.requires_grad_(before)
    reached = zip(factors, gradients, strict=True)
    return frozenset(name for name, gradient in reached if gradient is not None and bool(gradient.any()))


def _second_factors(subject: Subject, names: Iterable[str]) -> dict[str, Tensor]:
    """The parameter B of each adapted weight, as PEFT names it."""
    wanted = set(names)
    parameters = subject.torch_model.module.named_parameters()
    parts = ((path.removeprefix("base_model.model.").partition(".lora_B."), tensor) for path, tensor in parameters)
    return {name: tensor for (name, is_second, _), tensor in parts if is_second and name in wanted}


def _loss(model: Any, ids: Tensor) -> Tensor:
    return functional.cross_entropy(model.differentiable_logits(ids[:, :-1])[0], ids[0, 1:])
