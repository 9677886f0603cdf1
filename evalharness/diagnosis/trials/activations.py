"""The function between the two matrices of a layer: which one a model uses, and another in its place."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def _squared(given: Tensor) -> Tensor:
    return functional.relu(given).square()


def _quick(given: Tensor) -> Tensor:
    return given * torch.sigmoid(1.702 * given)


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": partial(functional.gelu, approximate="tanh"),
    "quick_gelu": _quick,
    "silu": functional.silu,
    "relu": functional.relu,
    "relu2": _squared,
}
"""By the names that configurations of transformers have for them."""
_CALLED: Mapping[Any, str] = {
    functional.gelu: "gelu",
    functional.silu: "silu",
    functional.relu: "relu",
    torch.relu: "relu",
    Tensor.relu: "relu",
}


class OtherActivation(TorchFunctionMode):
    """While it is entered, ``instead`` is called in place of the activations of torch; None: they are only noted.

    ``names`` are those that were met. An activation that is written out as a formula is not reached.
    """

    def __init__(self, instead: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self._instead = instead
        self.names: set[str] = set()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the other activation if ``func`` is one."""
        kwargs = kwargs or {}
        name = _CALLED.get(func)
        if name is not None:
            self.names.add("gelu_new" if kwargs.get("approximate") == "tanh" else name)
            if self._instead is not None:
                return self._instead(args[0])
        return func(*args, **kwargs)
