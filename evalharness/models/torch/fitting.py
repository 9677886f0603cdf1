"""Weights go into a module, and nothing is left over on either side unnoticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from evalharness.errors import CheckpointError
from evalharness.models.torch.error_text import first_line, some

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from evalharness.models.torch.weights import Weights

# What torch.compile, DDP, FSDP and activation checkpointing put between the parts of a name.
_WRAPPERS = frozenset({"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
# Statistics of the training data look like constants of the code, for a new module fills them with zeros and ones.
_LEARNED_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def fit(module: nn.Module, weights: Weights, path: Path, rebuild: Callable[[], nn.Module]) -> tuple[str, ...]:
    """Load weights into a module in place and return notes on what was not in the file but is known without it.

    Missing names are accepted only where they are tied to one that is there, or are buffers that a second module from
    ``rebuild`` fills in the same way. Raises one CheckpointError otherwise, and for names or shapes that don't match.
    """
    own = module.state_dict(keep_vars=True)
    state = _renamed(weights.state, own)
    state = _without_known_constants(state, module, own)
    unexpected = sorted(set(state) - set(own))
    tied = _tied(own, state)
    missing = [name for name in own if name not in state and name not in tied]
    refilled = _refilled(missing, module, rebuild)
    missing = [name for name in missing if name not in refilled]
    if missing or unexpected:
        raise CheckpointError(f"{path}: {_names_do_not_match(missing, unexpected)}")
    _check_shapes(state, own, path)
    _check_ties(state, own, path)
    try:
        module.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: does not load into the module: {first_line(error)}") from error
    return (f"buffers not in the file, filled by the code: {some(sorted(refilled))}",) if refilled else ()


def plain_name(name: str) -> str:
    """Return a parameter's name without the parts that wrappers added.

    >>> plain_name("module._orig_mod.layers.0._orig_mod.weight")
    'layers.0.weight'
    """
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _renamed(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors the module's names: the same one where there is one, else the one that differs by wrappers."""
    by_plain_name: dict[str, list[str]] = {}
    for name in own:
        by_plain_name.setdefault(plain_name(name), []).append(name)
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        matches = by_plain_name.get(plain_name(name), [])
        target = name if name in own or len(matches) != 1 or matches[0] in state else matches[0]
        # Two names of the file for one of the module: the second stays as it is and is reported as unexpected.
        renamed[name if target in renamed else target] = tensor
    return renamed


def _without_known_constants(
    state: dict[str, Tensor], module: nn.Module, own: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Drop what the module makes for itself now and saved once, such as a mask, where both hold the same values.

    A constant that the code lacks, or has with other values, stays and is reported: a mask that is in the file and not
    in the code is just what one wants to hear of.
    """
    buffers = {plain_name(name): buffer for name, buffer in module.named_buffers() if name not in own}
    return {
        name: tensor
        for name, tensor in state.items()
        if name in own or not _equal(buffers.get(plain_name(name)), tensor)
    }


def _equal(buffer: Tensor | None, tensor: Tensor) -> bool:
    if buffer is None or buffer.shape != tensor.shape:
        return False
    return torch.equal(buffer.detach().cpu(), tensor.to(buffer.dtype))


def _tied(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> set[str]:
    """Names that are missing from the file but share their memory with one that is there."""
    there = {_place(own[name]) for name in state if name in own}
    return {name for name, tensor in own.items() if name not in state and _place(tensor) in there}


def _place(tensor: Tensor) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride()


def _refilled(missing: list[str], module: nn.Module, rebuild: Callable[[], nn.Module]) -> set[str]:
    """Missing buffers that the code fills in the same way each time."""
    buffers = dict(module.named_buffers())
    wanted = [name for name in missing if name in buffers and not name.endswith(_LEARNED_BUFFERS)]
    if not wanted:
        return set()
    again = dict(rebuild().named_buffers())
    return {name for name in wanted if name in again and _equal(again[name], buffers[name])}


def _names_do_not_match(missing: list[str], unexpected: list[str]) -> str:
    faults = []
    if missing:
        faults.append(f"the module has tensors that the file lacks: {some(missing)}")
    if unexpected:
        faults.append(f"the file has tensors that the module lacks: {some(unexpected)}")
    return "; ".join(faults) + "; does the factory make the model of this file?"


def _check_shapes(state: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path) -> None:
    faults = [
        f"{name} is {tuple(tensor.shape)} in the file, {tuple(own[name].shape)} in the module"
        for name, tensor in state.items()
        if tensor.shape != own[name].shape
    ]
    if faults:
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise CheckpointError(f"{path}: shapes don't match: {'; '.join(faults[:3])}{more}")


def _check_ties(state: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path) -> None:
    """Two tensors that differ can't go into one place: the second would silently overwrite the first."""
    first: dict[tuple[int, tuple[int, ...], tuple[int, ...]], str] = {}
    for name, tensor in state.items():
        twin = first.setdefault(_place(own[name]), name)
        # Empty tensors share the null address without being tied.
        if twin != name and tensor.numel() and not torch.equal(state[twin], tensor):
            raise CheckpointError(f"{path}: {twin} and {name} are tied in the module, but differ in the file")
