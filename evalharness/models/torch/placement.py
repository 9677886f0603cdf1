"""Where a model runs and in which numbers: device and dtype by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from evalharness.errors import CheckpointError
from evalharness.models.torch.error_text import first_line
from evalharness.models.torch.free_memory import free_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}
HALF = frozenset({torch.bfloat16, torch.float16})
ROOM = 1.25
"""How much more than the weights has to be free for them to be widened: passes take memory, too."""


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """In which numbers weights run: in ``dtype``, or in their own where it is None.

    ``widens_half``: weights in half precision run in float32 all the same, if there is memory for that.
    """

    dtype: torch.dtype | None = None
    widens_half: bool = False

    def of(self, own: torch.dtype | None, weight_bytes: int) -> torch.dtype | None:
        """The dtype to load weights in that take ``weight_bytes`` as they are; None leaves them as they are.

        ``own`` is None if it is not known; such weights are widened as well.
        """
        if self.dtype is not None or not self.widens_half or (own is not None and own not in HALF):
            return self.dtype
        free = free_bytes()
        return torch.float32 if free is None or 2 * weight_bytes * ROOM <= free else None

    def notes(self, own: torch.dtype | None, used: torch.dtype) -> tuple[str, ...]:
        """What to say of weights in half precision on a CPU that nobody asked a dtype for."""
        if self.dtype is not None or not self.widens_half or own not in HALF:
            return ()
        name = dtype_name(own)
        if used in HALF:
            return (f"float32 would take more memory than is free: the weights run in {name}, as they are",)
        return (f"the {name} weights run in float32, which a CPU computes more exactly (--dtype {name} keeps them)",)


OWN = NumberFormat()
"""Weights as they are."""


def parse_dtype(name: str, device: torch.device) -> NumberFormat:
    """Return the format that a name means on ``device``.

    ``auto`` is that of the weights, but on a CPU half precision becomes float32. Raises CheckpointError for a name that
    is unknown.
    """
    if name == "auto":
        return NumberFormat(widens_half=device.type == "cpu")
    if name not in DTYPES:
        raise CheckpointError(f"dtype {name!r} is unknown, expected one of {', '.join(DTYPES)}, auto")
    return NumberFormat(DTYPES[name])


def parse_device(name: str) -> torch.device:
    """Return the device of a name such as ``cpu``, ``cuda:1`` or ``mps``; ``auto`` takes a GPU where there is one."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise CheckpointError(f"device {name!r} is unknown, expected cpu, cuda, cuda:N, mps or auto") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        seen = torch.cuda.device_count()
        raise CheckpointError(
            f"device {name!r}: torch {torch.__version__} sees {seen} CUDA devices here; use cpu or auto"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise CheckpointError(f"device {name!r}: torch {torch.__version__} sees none here; use cpu or auto")
    return device


def place(module: nn.Module, device: torch.device, dtype: torch.dtype | None) -> None:
    """Move a module to a device and its floating numbers to a dtype, in place, and set it to evaluation mode.

    ``dtype`` None leaves the numbers as they are. Complex buffers (rotary tables) keep their type: ``module.to(dtype)``
    would drop their imaginary part.
    """

    def convert(tensor: Tensor) -> Tensor:
        return tensor.to(device, dtype if tensor.is_floating_point() else None)

    apply: Callable[[Callable[[Tensor], Tensor]], object] = module._apply  # noqa: SLF001 - what `.to` itself calls
    try:
        apply(convert)
    except (RuntimeError, AssertionError) as error:
        raise CheckpointError(f"device {str(device)!r}: the model can't be put there: {first_line(error)}") from error
    module.eval()
    module.requires_grad_(False)


def dtype_name(dtype: torch.dtype) -> str:
    """Return ``float32`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")


def accelerators() -> list[str]:
    """Return the names of the CUDA devices that torch sees here."""
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
