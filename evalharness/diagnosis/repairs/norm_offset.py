"""Norms whose weights are deviations from one, where the code does not add the one, or adds it twice.

Gemma's norms multiply by ``1 + weight``; converted files have the sum.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.swapping import swapped_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from evalharness.diagnosis.subject import Subject

OFFSETS = (1.0, -1.0)


def repairs(subject: Subject) -> Iterator[Repair]:
    """One more and one less in the weights of all norms."""
    weights = _weights_of_norms(subject.torch_model.module)
    if not weights:
        return
    place = next(iter(weights))
    for offset in OFFSETS:
        words = "added to" if offset > 0 else "taken from"
        multiplied = "1 + weight" if offset > 0 else "weight alone"
        yield Repair(
            kind="norm_offset",
            words=f"1 {words} the weights of the {len(weights)} norms",
            place=place,
            remedy=(
                f"Let the norms multiply by {multiplied}, as in training, or save their weights (`{place}` is the "
                f"first) with 1 {words} them: the file and the code disagree on whether the 1 is in the weights."
            ),
            change=partial(swapped_tensors, tensors={path: weight + offset for path, weight in weights.items()}),
        )


def _weights_of_norms(module: nn.Module) -> dict[str, Tensor]:
    """By their paths: one number for each channel, in modules that are called norms."""
    return {
        f"{path}.weight": part.weight.detach()
        for path, part in module.named_modules()
        if "norm" in type(part).__name__.lower()
        if isinstance(getattr(part, "weight", None), Tensor) and part.weight.dim() == 1
    }
