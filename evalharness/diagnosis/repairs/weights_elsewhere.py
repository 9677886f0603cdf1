"""Other weights for the same module: averaged ones (EMA) in the same file, or another base under an adapter."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial, reduce
from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.swapping import swapped_tensors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch import Tensor, nn

    from evalharness.diagnosis.subject import Subject
    from evalharness.models.protocols import WeightSet

UNDER_ADAPTER = (".base_layer", ".original_module")
"""What PEFT puts into the name of a weight that an adapter lies over, or stands in the place of."""
OF_ADAPTER = ("lora_", ".modules_to_save.")
"""What is in the names of an adapter's own tensors: its matrices, and modules that it saved whole."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Every other set of weights that the loader saw and that has the shapes of this module."""
    for weights in subject.other_weights:
        remedy = f"Load {weights.words}: the loss was logged with these weights."
        if weights.is_base:
            remedy = f"Put the adapter over {weights.words}: it was trained over these weights."
        yield Repair(
            kind="adapter_base" if weights.is_base else "other_weights",
            words=weights.words,
            place=weights.place,
            remedy=remedy,
            change=partial(_with_weights, weights=weights),
            settings=weights.settings,
            lowers=weights.is_base,
        )


@contextmanager
def _with_weights(module: nn.Module, weights: WeightSet) -> Iterator[None]:
    tensors = _added(module, weights.read()) if weights.is_added else _fitting(module, weights.read())
    if not tensors:
        raise LookupError(f"{weights.words} has not the names and shapes of this module")
    with torch.no_grad(), swapped_tensors(module, tensors):
        yield


def _fitting(module: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors by the paths that they have in the module; none if one that is expected is missing or misshapen.

    The state's names may have a prefix of their own; an adapter's matrices are expected of no base.
    """
    own = _of_the_base(module.named_parameters(remove_duplicate=False))
    by_order = list(state.values()) if all(name.startswith("#") for name in state) else None
    if by_order is not None:
        distinct = dict(module.named_parameters())
        state = dict(zip(distinct, by_order, strict=False)) if len(by_order) == len(distinct) else {}
    prefixes = _prefixes(state, own)
    fitting: dict[str, Tensor] = {}
    seen: dict[int, Tensor] = {}
    for name, tensor in own.items():
        other = next((state[p + _plain(name)] for p in prefixes if p + _plain(name) in state), seen.get(id(tensor)))
        if other is None or other.shape != tensor.shape:
            return {}
        fitting[name] = seen[id(tensor)] = other
    return {name: tensor for name, tensor in fitting.items() if not _same(own[name], tensor)}


def _added(module: nn.Module, changes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with what is added to them; none if one has no place, or another shape."""
    own = {_plain(name): (name, tensor) for name, tensor in _of_the_base(module.named_parameters()).items()}
    if any(name not in own or own[name][1].shape != change.shape for name, change in changes.items()):
        return {}
    return {own[name][0]: own[name][1].detach() + change.to(own[name][1]) for name, change in changes.items()}


def _of_the_base(named: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in named if not any(part in name for part in OF_ADAPTER)}


def _plain(name: str) -> str:
    return reduce(lambda short, part: short.replace(part, ""), UNDER_ADAPTER, name)


def _prefixes(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """What may stand before the names of the module: nothing, or what does before one of its own."""
    longest = max(map(_plain, own), key=len, default="")
    return ["", *{name.removesuffix(longest) for name in state if longest and name.endswith(longest)}]


def _same(own: Tensor, other: Tensor) -> bool:
    return torch.equal(own.detach().cpu(), other.detach().cpu().to(own.dtype))
