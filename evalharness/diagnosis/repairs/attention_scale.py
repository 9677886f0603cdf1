"""Attention scores with another scale than in training: a number of the model that a conversion or rewrite lost."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from evalharness.diagnosis.losses.counted_losses import rows_with_end
from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.attention_scales import ScaledScores, attention_scales
from evalharness.diagnosis.trials.head_shapes import head_shapes
from evalharness.diagnosis.trials.kept_values import kept_values
from evalharness.diagnosis.trials.swapping import swapped_attributes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from torch import nn

    from evalharness.diagnosis.subject import Subject

SCALARS = (64, 128, 144, 168, 224, 256)
"""Of released models: scores are divided by the root of one of these. Gemma 2 has 144, 224 and 256."""
TIMES = (0.125, 0.25, 0.5, math.sqrt(0.5), math.sqrt(2), 2.0, 4.0, 8.0)
SCALAR, MULTIPLIER = "query_pre_attn_scalar", "attention_multiplier"
"""Keys of configurations: scores are divided by the root of the first, or multiplied by the second."""
BY_LAYER = "scale_attn_by_inverse_layer_idx"
"""With it they are divided by the number of their layer, counted from 1, too."""
SAME = 1e-3


def repairs(subject: Subject) -> Iterator[Repair]:
    """Other numbers for the scales that attentions keep; scores that are larger or smaller if they keep none."""
    module = subject.torch_model.module
    scales = attention_scales(module)
    if scales:
        yield from _of_attributes(module, scales)
    else:
        yield from _of_scores(subject)


def _of_attributes(module: nn.Module, scales: Mapping[str, float]) -> Iterator[Repair]:
    own = list(scales.values())
    if all(math.isclose(scale, own[0], rel_tol=SAME) for scale in own):
        for value in _others(module, own[0]):
            yield _with_values(module, scales, [value] * len(own))
        if len(own) > 1:
            yield _with_values(module, scales, [scale / (i + 1) for i, scale in enumerate(own)])
    elif all(math.isclose(scale * (i + 1), own[0], rel_tol=SAME) for i, scale in enumerate(own)):
        yield _with_values(module, scales, own[:1] * len(own))


def _others(module: nn.Module, own: float) -> list[float]:
    """Scales that are in use; their inverse where scores are divided by the number."""
    known = [1.0, *(scalar**-0.5 for scalar in SCALARS)]
    for shape in head_shapes(module):
        known = [shape.width**-0.5, 1 / shape.width, shape.channels**-0.5, *known]
    values = [1 / value for value in known] if own > 1 else known
    chosen: list[float] = []
    for value in [*values, *(own * times for times in TIMES)]:
        if not any(math.isclose(value, other, rel_tol=SAME) for other in (own, *chosen)):
            chosen.append(value)
    return chosen


def _with_values(module: nn.Module, scales: Mapping[str, float], values: list[float]) -> Repair:
    place, first = next(iter(scales.items()))
    words = f"`{place}` = {values[0]:.4g}" + ", divided by the number of each layer" * (values[0] != values[-1])
    return Repair(
        kind="attention_scale",
        words=words,
        place=place,
        remedy=f"Scale the attention scores as in training: {words}. It is {first:.4g}, of {len(scales)} attentions.",
        change=partial(swapped_attributes, values=dict(zip(scales, values, strict=True))),
        settings=_settings(module, values),
        present={place: first},
    )


def _settings(module: nn.Module, values: list[float]) -> dict[str, Any]:
    """The key of the configuration that says the scale, if it has one."""
    keys = {path.rpartition(".")[2] for path in kept_values(module, (SCALAR, MULTIPLIER, BY_LAYER), int, float, bool)}
    said = {SCALAR: round(values[0] ** -2, 6), MULTIPLIER: values[0], BY_LAYER: values[0] != values[-1]}
    return {key: said[key] for key in said if key in keys}


def _of_scores(subject: Subject) -> Iterator[Repair]:
    """For code that writes the scale into its formula, or leaves it out."""
    widths = _widths(subject)
    roots = {math.sqrt(width) for width in widths if width}
    for times in sorted({*TIMES, *roots, *(1 / root for root in roots)}) if widths else ():
        yield Repair(
            kind="attention_scale",
            words=f"attention scores {times:.4g} times as large",
            place="the attention's forward pass",
            remedy=f"Scale the attention scores as in training: {times:.4g} times as large as the code has them.",
            change=partial(_scaled, times=times),
        )


def _scaled(_module: nn.Module, times: float) -> AbstractContextManager[Any]:
    return ScaledScores(times)


def _widths(subject: Subject) -> set[int | None]:
    """Channels of the heads in one pass over a row; empty where no scores can be reached."""
    split = subject.validation or subject.train
    if split is None or not split.encoded:
        return set()
    ids = rows_with_end(subject, split, split.encoded[:1])[0].ids
    with ScaledScores(1.0) as scores:
        subject.torch_model.logits(torch.tensor([ids], device=subject.torch_model.device))
    return set(scores.widths)
