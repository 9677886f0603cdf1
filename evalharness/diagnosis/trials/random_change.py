"""A random change of the size of a repair: what the loss does under it says what the repair's effect is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.trials.swapping import owner_of, swapped_tensors

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor, nn

    from evalharness.diagnosis.repair import Repair


def random_change(module: nn.Module, repair: Repair, seed: int) -> AbstractContextManager[None] | None:
    """Every tensor that the repair changes, changed at random instead, by as much in norm; None if it changes none."""
    before = _tensors(module)
    with repair.change(module):
        after = _tensors(module)
        sizes = {
            name: float((after[name].double() - tensor.double()).norm())
            for name, tensor in before.items()
            if name in after and after[name].shape == tensor.shape and not torch.equal(after[name], tensor)
        }
    generator = torch.Generator().manual_seed(seed)
    changed: dict[str, Tensor] = {}
    for name, size in sizes.items():
        noise = torch.randn(before[name].shape, generator=generator)
        changed[name] = before[name] + (noise * (size / max(1e-12, float(noise.norm())))).to(before[name])
    return swapped_tensors(module, changed) if changed else None


def random_order(size: int, seed: int) -> Tensor:
    """The numbers from 0 to ``size`` - 1 in an order drawn at random: ``(size,)``, int64."""
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed))


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Floating tensors by every path that leads to them."""
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    return {name: tensor.detach() for name, tensor in named if tensor.is_floating_point() and owner_of(module, name)}
