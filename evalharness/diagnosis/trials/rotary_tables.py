"""Tables of rotary positions in a module: inverse frequencies, cosines, sines or complex numbers, and their base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

Shape = Literal["frequencies", "cosines", "sines", "complex"]
CLOSE = 1e-2
"""How far a table may be from the one that its base gives: rounding to bfloat16 is a hundredth at worst."""


@dataclass(frozen=True, slots=True)
class RotaryTable:
    """One table. ``path`` names the tensor, ``pair`` says which of the frequencies each of its columns has.

    Frequency ``i`` of ``n`` is ``base ** (-i / n)``; a table of cosines has those of ``position * frequency``.
    """

    path: str
    tensor: Tensor
    shape: Shape
    pair: tuple[int, ...]
    base: float


def rotary_tables(module: nn.Module) -> list[RotaryTable]:
    """Every tensor of the module, buffer or plain attribute, that is such a table."""
    tables = (_table(path, tensor) for path, tensor in _tensors(module))
    return [table for table in tables if table is not None]


def with_base(table: RotaryTable, base: float) -> Tensor:
    """The same table for another base, float32 or complex64."""
    return _made(table.shape, table.tensor, table.pair, base)


def with_columns(table: RotaryTable, columns: int) -> Tensor:
    """The same table for heads of another width, float32 or complex64."""
    kind = list(_pairs(len(table.pair))).index(table.pair)
    pair = list(_pairs(columns))[kind]
    return _made(table.shape, table.tensor.new_empty((*table.tensor.shape[:-1], columns)), pair, table.base)


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for path, part in module.named_modules():
        for table in (vars(part)["_buffers"], vars(part)):
            for name, value in table.items():
                if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
                    yield f"{path}.{name}".lstrip("."), value


def _table(path: str, tensor: Tensor) -> RotaryTable | None:
    columns = tensor.shape[-1] if tensor.dim() else 0
    if columns < 2 or not (tensor.is_floating_point() or tensor.is_complex()):
        return None
    shapes: tuple[Shape, ...] = ("frequencies",)
    if tensor.numel() != columns:
        shapes = ("complex",) if tensor.is_complex() else ("cosines", "sines")
    for shape in shapes:
        for pair in _pairs(columns):
            base = _base(shape, tensor, pair)
            if base is not None and _is_close(_made(shape, tensor, pair, base), tensor):
                return RotaryTable(path, tensor, shape, pair, base)
    return None


def _pairs(columns: int) -> Iterator[tuple[int, ...]]:
    """Each frequency once; twice, all and all again; twice, side by side."""
    yield tuple(range(columns))
    if columns % 2 == 0:
        yield tuple(i % (columns // 2) for i in range(columns))
        yield tuple(i // 2 for i in range(columns))


def _base(shape: Shape, tensor: Tensor, pair: tuple[int, ...]) -> float | None:
    """The base from the second frequency: ``f = base ** (-1 / n)``."""
    count = max(pair) + 1
    if count < 2:
        return None
    rows = tensor.detach().reshape(-1, tensor.shape[-1])
    value = rows[0 if shape == "frequencies" else min(1, len(rows) - 1), pair.index(1)]
    angle = torch.view_as_real(value)[1].double().asin() if shape == "complex" else value.double()
    frequency = float(angle.acos() if shape == "cosines" else angle.asin() if shape == "sines" else angle)
    return frequency**-count if 0 < frequency < 1 and frequency**-count < 1e12 else None


def _made(shape: Shape, like: Tensor, pair: tuple[int, ...], base: float) -> Tensor:
    frequencies = torch.tensor([base ** (-i / (max(pair) + 1)) for i in pair], dtype=torch.float64)
    if shape == "frequencies":
        return frequencies.float().reshape(like.shape)
    angles = torch.arange(like.numel() // len(pair), dtype=torch.float64)[:, None] * frequencies
    if shape == "complex":
        return torch.polar(torch.ones_like(angles), angles).to(torch.complex64).reshape(like.shape)
    return (angles.cos() if shape == "cosines" else angles.sin()).float().reshape(like.shape)


def _is_close(made: Tensor, tensor: Tensor) -> bool:
    return bool((made - tensor.detach().cpu()).abs().max() < CLOSE)
