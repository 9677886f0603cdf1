"""Weights in four bits: 16 levels for each block of 32 weights, between its largest absolute value and minus that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

BLOCK, LEVELS = 32, 7


def rounded(weight: Tensor) -> Tensor:
    """The weight as it is after it was written in four bits and read again."""
    blocks = weight.reshape(-1, BLOCK)
    scale = blocks.abs().amax(dim=1, keepdim=True).clamp(min=1e-8) / LEVELS
    return ((blocks / scale).round() * scale).reshape(weight.shape)


@torch.no_grad()
def round_layers(model: nn.Module) -> None:
    """All linear layers of the blocks; embedding, head and norms stay as they are."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and "_proj" in name and "lora" not in name:
            parameter.copy_(rounded(parameter))
