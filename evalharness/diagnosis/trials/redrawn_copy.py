"""A copy of a model whose all-zero parameters are drawn anew, so that an untrained one moves something."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from evalharness.models.protocols import TorchModel


def redrawn_copy(model: TorchModel) -> TorchModel:
    """Copy ``model``; each parameter of zeros gets normal values of standard deviation 0.02, always the same ones."""
    twin = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in twin.module.parameters():
            if not bool(parameter.any()):
                fresh = torch.randn(parameter.shape, generator=generator) * 0.02
                parameter.copy_(fresh.to(parameter))
    return twin
