"""Constants of attention that older versions of transformers saved with the weights, known by name and by value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_MASKED = -1e4
"""The highest number that stood for a masked score: GPT-2 had -10,000, others -1e9 or the lowest of their dtype."""


def may_be_attention_constant(name: str) -> bool:
    """Whether a tensor of this name may be such a constant; only its values tell."""
    return _last_part(name) in _KINDS


def is_attention_constant(name: str, tensor: Tensor) -> bool:
    """Whether a tensor is a full causal mask, the score of a masked place, or the numbers of the positions.

    Any causal model computes these itself. A mask with a window, or the frequencies of rotary positions, tell of a
    model that the code may not build, and are none.
    """
    kind = _KINDS.get(_last_part(name))
    return kind is not None and kind(tensor)


def _last_part(name: str) -> str:
    return name.rpartition(".")[2]


def _is_causal_mask(tensor: Tensor) -> bool:
    """Whether the last two of its sizes are a triangle of ones, and all others are 1."""
    if tensor.dim() < 2 or tensor.shape[-1] < 2 or tensor.shape[-1] ** 2 != tensor.numel():
        return False
    square = tensor.reshape(tensor.shape[-1], -1)
    return torch.equal(square, torch.ones_like(square).tril())


def _is_masked_score(tensor: Tensor) -> bool:
    return tensor.numel() == 1 and float(tensor) <= _MASKED


def _are_positions(tensor: Tensor) -> bool:
    return tensor.numel() > 1 and torch.equal(tensor.flatten().long(), torch.arange(tensor.numel()))


_KINDS: dict[str, Callable[[Tensor], bool]] = {
    "bias": _is_causal_mask,
    "causal_mask": _is_causal_mask,
    "mask": _is_causal_mask,
    "masked_bias": _is_masked_score,
    "position_ids": _are_positions,
}
