"""Square weights that stand transposed: their shape does not tell inputs from outputs.

GPT-2's file has ``(inputs, outputs)``, which its code calls Conv1D, and ``nn.Linear`` takes ``(outputs, inputs)``.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor, nn

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.swapping import swapped_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.subject import Subject


def repairs(subject: Subject) -> Iterator[Repair]:
    """The weights of one name in all layers, and all square ones."""
    by_name = _square(subject.torch_model.module)
    for tensors in by_name.values():
        yield _transposed(tensors)
    if len(by_name) > 1:
        yield _transposed({path: tensor for tensors in by_name.values() for path, tensor in tensors.items()})


def _transposed(tensors: dict[str, Tensor]) -> Repair:
    place = next(iter(tensors))
    which = f"`{place}`" + f" and {len(tensors) - 1} more square weights" * (len(tensors) > 1)
    return Repair(
        kind="transposed",
        words=f"{which} transposed",
        place=place,
        remedy=(
            f"Transpose {which} where the checkpoint is converted or loaded: the file has them as (inputs, outputs) "
            "and the code takes (outputs, inputs), or the other way round. Square weights fit in shape either way."
        ),
        all_or_nothing=True,
        change=partial(swapped_tensors, tensors={path: tensor.T for path, tensor in tensors.items()}),
        sharp=True,
    )


def _square(module: nn.Module) -> dict[str, dict[str, Tensor]]:
    """Weights by their paths, those together whose paths differ in the number of the layer alone."""
    by_name: dict[str, dict[str, Tensor]] = {}
    for path, part in module.named_modules():
        weight = getattr(part, "weight", None)
        if isinstance(weight, Tensor) and _is_square(weight) and not isinstance(part, nn.Embedding):
            by_name.setdefault(re.sub(r"\d+", "", path), {})[f"{path}.weight"] = weight.detach()
    return by_name


def _is_square(weight: Tensor) -> bool:
    return weight.dim() == 2 and weight.shape[0] == weight.shape[1]
