"""Causal masks opened for the first positions of a row, which then see each other as the prompt of a prefix LM does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HIDDEN = -1e3
"""What is added to a score, or put in its place, to hide a position: no trained score is so low."""
ATTENTION = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
FILL = frozenset({Tensor.masked_fill, Tensor.masked_fill_, torch.masked_fill})
ADD = frozenset({torch.add, Tensor.add, Tensor.add_, Tensor.__add__, Tensor.__iadd__, Tensor.__radd__})


class OpenedMasks(TorchFunctionMode):
    """While it is entered, the first ``prompt`` positions see each other wherever a causal mask meets scores.

    It reaches ``scaled_dot_product_attention`` and masks that are filled in, chosen by ``where``, or added. Attention
    in kernels of its own is not reached, and stays as it is.
    """

    def __init__(self, prompt: int) -> None:
        super().__init__()
        self._prompt = prompt

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call ``func`` with another mask if it has a causal one."""
        named = dict(kwargs or {})
        if func is functional.scaled_dot_product_attention:
            return func(**self._attended({**dict(zip(ATTENTION, args, strict=False)), **named}))
        if func in FILL and len(args) == 3 and _hides(args[2]):
            return func(args[0], self._opened(args[1], visible=False), args[2], **named)
        if func is torch.where and len(args) == 3 and _hides(args[2]):
            return func(self._opened(args[0], visible=True), *args[1:], **named)
        if func in ADD and len(args) == 2:
            return func(*(self._opened(part, visible=0.0) for part in args), **named)
        return func(*args, **named)

    def _attended(self, named: dict[str, Any]) -> dict[str, Any]:
        query, mask = named["query"], named.get("attn_mask")
        if named.get("is_causal") and mask is None and query.shape[-2] == named["key"].shape[-2]:
            length = query.shape[-2]
            mask = torch.ones(length, length, dtype=torch.bool, device=query.device).tril()
            named["is_causal"] = False
        if mask is not None:
            named["attn_mask"] = self._opened(mask, visible=True if mask.dtype == torch.bool else 0.0)
        return named

    def _opened(self, mask: Any, *, visible: bool | float) -> Any:
        """The mask with the prompt's corner ``visible``; what is no causal mask stays as it is."""
        if not isinstance(mask, Tensor) or mask.dim() < 2 or not 1 < mask.shape[-1] == mask.shape[-2]:
            return mask
        if mask.dtype == torch.bool:
            hidden = mask != visible
        elif isinstance(visible, bool) or not mask.is_floating_point():
            return mask
        else:
            hidden = mask < HIDDEN
        if not _is_causal(hidden):
            return mask
        opened = mask.clone()
        opened[..., : self._prompt, : self._prompt] = visible
        return opened


def _is_causal(hidden: Tensor) -> bool:
    """Whether all positions after each are hidden from it, and it is not hidden from itself."""
    later = torch.ones_like(hidden).triu(1)
    return bool((hidden | ~later).all()) and not bool(hidden.diagonal(dim1=-2, dim2=-1).any())


def _hides(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.numel() == 1 and float(value) < HIDDEN
    return isinstance(value, (int, float)) and value < HIDDEN
