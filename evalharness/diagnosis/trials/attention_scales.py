"""The scale of attention scores: where modules keep it, and scores that are scaled without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from evalharness.diagnosis.trials.kept_values import kept_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SCALES = ("scaling", "scale", "softmax_scale", "scale_factor", "norm_factor", "attn_scale", "attention_scale")
SOFTMAX = frozenset({functional.softmax, torch.softmax, Tensor.softmax})


def attention_scales(module: nn.Module) -> dict[str, float]:
    """The scales that attention modules keep as a number, by their paths."""
    parts = dict(module.named_modules())
    kept = kept_values(module, SCALES, float)
    return {
        path: scale
        for path, scale in kept.items()
        if (owner := path.rpartition(".")[0]) in parts and _is_attention(owner, parts[owner])
    }


def _is_attention(path: str, part: nn.Module) -> bool:
    return "att" in (path.rpartition(".")[2] + type(part).__name__).lower()


class ScaledScores(TorchFunctionMode):
    """While it is entered, scores are ``times`` as large before softmax turns them into shares.

    It reaches ``scaled_dot_product_attention``, and a softmax over a square of positions. Attention in kernels of its
    own is not reached. ``widths`` are the channels of the heads that it met, None where it met scores only.
    """

    def __init__(self, times: float) -> None:
        super().__init__()
        self._times = times
        self.widths: set[int | None] = set()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call ``func`` with larger scores if it is an attention's."""
        if args and func is functional.scaled_dot_product_attention:
            self.widths.add(args[0].shape[-1])
            args = (args[0] * self._times, *args[1:])
        elif args and func in SOFTMAX and _are_scores(args[0]):
            self.widths.add(None)
            args = (args[0] * self._times, *args[1:])
        return func(*args, **(kwargs or {}))


def _are_scores(given: Tensor) -> bool:
    return given.dim() > 2 and 1 < given.shape[-1] == given.shape[-2]
