"""Where a model runs and in which numbers: device and dtype by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from evalharness.errors import CheckpointError
from evalharness.models.torch.error_text import first_line

if TYPE_CHECKING:
    from collections.abc import Callable

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}


def parse_dtype(name: str) -> torch.dtype | None:
    """Return the dtype of a name; None for ``auto``, which means that of the weights."""
    if name == "auto":
        return None
    if name not in DTYPES:
        raise CheckpointError(f"dtype {name!r} is unknown, expected one of {', '.join(DTYPES)}, auto")
    return DTYPES[name]


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
