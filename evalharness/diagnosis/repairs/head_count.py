"""Another number of attention heads: the weights fit in shape under every number that divides their channels."""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.attention_scales import attention_scales
from evalharness.diagnosis.trials.head_shapes import head_shapes
from evalharness.diagnosis.trials.rotary_tables import rotary_tables, with_columns
from evalharness.diagnosis.trials.swapping import swapped_attributes, swapped_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from evalharness.diagnosis.subject import Subject
    from evalharness.diagnosis.trials.head_shapes import HeadShape

NARROWEST = 4
"""No attention has heads of fewer channels."""
NEAREST = 8
"""Numbers that are tried, the nearest to that of the code first."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Other numbers of heads that divide the channels, in all modules and configurations that keep the same number."""
    module = subject.torch_model.module
    for shape in head_shapes(module):
        for heads in _numbers(shape):
            yield _with_heads(module, shape, heads)


def _with_heads(module: nn.Module, shape: HeadShape, heads: int) -> Repair:
    place, value = next(iter(shape.with_heads(heads).items()))
    return Repair(
        kind="head_count",
        words=f"`{place}` = {value}",
        place=place,
        remedy=(
            f"Build the model with {heads} attention heads, as in training, so that `{place}` = {value}: the code has "
            f"{shape.heads}, and the weights have the same shapes with either."
        ),
        change=partial(_split, shape=shape, heads=heads),
        settings=_settings(module, shape, heads),
        present={place: shape.with_heads(shape.heads)[place]},
        sharp=True,
    )


def _numbers(shape: HeadShape) -> list[int]:
    numbers = [
        heads
        for heads in range(1, shape.channels // NARROWEST + 1)
        if shape.channels % heads == 0 and shape.key_heads * heads % shape.heads == 0 and heads != shape.heads
    ]
    return sorted(numbers, key=lambda heads: abs(math.log2(heads / shape.heads)))[:NEAREST]


def _settings(module: nn.Module, shape: HeadShape, heads: int) -> dict[str, Any]:
    """The keys of a configuration of transformers that say it; in one's own code, the name of the number."""
    numbers = shape.with_heads(heads)
    config: Any = getattr(module, "config", None)
    if not hasattr(config, "to_dict"):
        place, value = next(iter(numbers.items()))
        return {place.rpartition(".")[2]: value}
    keys = config.to_dict()
    named = {path.removeprefix("config."): value for path, value in numbers.items() if path.startswith("config.")}
    return {key: value for key, value in named.items() if key in keys}


@contextmanager
def _split(module: nn.Module, shape: HeadShape, heads: int) -> Iterator[None]:
    width = shape.channels // heads
    values = {**shape.with_heads(heads), **_scales(module, shape.width, width)}
    tables = rotary_tables(module)
    tensors = {table.path: with_columns(table, len(table.pair) * width // shape.width) for table in tables}
    with ExitStack() as stack:
        stack.enter_context(swapped_attributes(module, values))
        stack.enter_context(swapped_tensors(module, tensors))
        yield


def _scales(module: nn.Module, old: int, new: int) -> dict[str, float]:
    """Scales of scores that are the root of a head's width, or one over it, follow the width."""
    scales = attention_scales(module).items()
    return {
        path: scale * (new / old) ** power
        for path, scale in scales
        for power in (0.5, -0.5)
        if math.isclose(scale, old**power, rel_tol=1e-3)
    }
