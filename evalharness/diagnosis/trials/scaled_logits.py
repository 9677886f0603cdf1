"""Logits that a model returns, larger or smaller."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def scaled_logits(module: nn.Module, times: float) -> Iterator[None]:
    """While it is entered, the module returns logits ``times`` as large."""
    handle = module.register_forward_hook(lambda _module, _given, output: _scaled(output, times))
    try:
        yield
    finally:
        handle.remove()


def _scaled(output: Any, times: float) -> Any:
    """The tensor itself, the part that is called logits, or each tensor of three dimensions in a tuple."""
    if isinstance(output, Tensor):
        return output * times if output.dim() == 3 else output
    if isinstance(output, dict):
        name = "logits" if "logits" in output else next(iter(output))
        output[name] = _scaled(output[name], times)
        return output
    return type(output)(_scaled(part, times) for part in output) if isinstance(output, (tuple, list)) else output
