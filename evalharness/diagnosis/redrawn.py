"""A copy of a model whose all-zero parameters are drawn anew, so that an untrained one moves something."""

from __future__ import annotations

import copy

import torch

from evalharness.interfaces import LanguageModel


def redrawn_copy(model: LanguageModel) -> LanguageModel:
    """Copy ``model``; each matrix of zeros gets normal values of standard deviation 0.02, always the same ones."""
    twin = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in twin.module.parameters():
            if parameter.dim() >= 2 and not bool(parameter.any()):
                fresh = torch.randn(parameter.shape, generator=generator) * 0.02
                parameter.copy_(fresh.to(parameter))
    return twin
