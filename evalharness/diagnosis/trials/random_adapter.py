"""An adapter drawn at random, of the norm of the trained one: what any change of that size does to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.trials.swapping import swapped_tensors

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor, nn


def random_adapter(module: nn.Module, seed: int) -> AbstractContextManager[None] | None:
    """Each matrix B of LoRA layers drawn anew, so that B·A has the norm that it had; None if there is none."""
    parameters = dict(module.named_parameters())
    generator = torch.Generator().manual_seed(seed)
    drawn: dict[str, Tensor] = {}
    for path, b in parameters.items():
        a = parameters.get(path.replace("lora_B", "lora_A")) if "lora_B" in path else None
        norm = None if a is None else _norm(b, a)
        if a is not None and norm is not None:
            noise = torch.randn(b.shape, generator=generator).to(b)
            drawn[path] = noise * (norm / max(1e-12, _norm(noise, a) or 0.0))
    return swapped_tensors(module, drawn) if drawn else None


def _norm(b: Tensor, a: Tensor) -> float | None:
    """‖B·A‖ from the small matrices alone: its square is tr(BᵀB·AAᵀ). None if they are no pair of matrices.

    Either may be stored transposed, as code of one's own does.
    """
    if b.dim() != 2 or a.dim() != 2:
        return None
    if b.shape[1] != a.shape[0]:
        b, a = b.T, a.T
    if b.shape[1] != a.shape[0]:
        return None
    b, a = b.detach().double(), a.detach().double()
    return float(((b.T @ b) * (a @ a.T)).sum().clamp(min=0).sqrt())
