"""Weights go into a module, and nothing is left over on either side unnoticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from evalharness.errors import CheckpointError
from evalharness.models.torch.empty_tensors import not_gathered
from evalharness.models.torch.error_text import first_line, nearest, some
from evalharness.models.torch.renaming import plain_name, renamed
from evalharness.models.torch.state_dicts import is_usual

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from evalharness.models.torch.weights import Weights

# Statistics of the training data look like constants of the code, for a new module fills them with zeros and ones.
_LEARNED_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def fit(
    module: nn.Module, weights: Weights, path: Path, rebuild: Callable[[], nn.Module], key: str | None = None
) -> tuple[str, ...]:
    """Load weights into a module in place and return notes on what was chosen, and on what was not in the file.

    ``key`` names the state dict; without it the one that fits is taken. Missing names are accepted only where they are
    tied to one that is there, or are buffers that a second module from ``rebuild`` fills in the same way. Raises one
    CheckpointError otherwise, and for names or shapes that don't match, or if several state dicts fit.
    """
    own = module.state_dict(keep_vars=True)
    state, notes = _chosen(weights, module, own, path, key)
    state = _without_known_constants(state, module, own)
    _check_gathered(state, own, path)
    missing, unexpected = _differing(state, own)
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
    filled = (f"buffers not in the file, filled by the code: {some(sorted(refilled))}",) if refilled else ()
    return (*notes, *filled)


def fits(module: nn.Module, weights: Weights) -> bool:
    """Whether one of the state dicts has every name and shape of a module."""
    own = module.state_dict(keep_vars=True)
    return any(_is_whole(_renamed(state, module, own)[0], module, own) for state in weights.states.values())


def _chosen(
    weights: Weights, module: nn.Module, own: Mapping[str, Tensor], path: Path, key: str | None
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The state dict that is the module's, by the module's names, and notes on how it was found."""
    if key is not None and key not in weights.states:
        known = nearest(key, list(weights.states))
        raise CheckpointError(f"{path}: [model] state_dict = {key!r}: there is no such state dict ({known})")
    states = weights.states if key is None else {key: weights.states[key]}
    taken = {name: _renamed(state, module, own) for name, state in states.items()}
    fitting = [name for name, (state, _) in taken.items() if _is_whole(state, module, own)]
    usual = [name for name in fitting if is_usual(name)]
    if len(fitting) > 1 and not usual:
        listed = ", ".join(map(repr, fitting))
        raise CheckpointError(
            f"{path}: {len(fitting)} state dicts fit the module ({listed}): "
            f'name one in the manifest: [model] state_dict = "{fitting[0]}"'
        )
    # If none fits, what is wrong is told of the one that it most likely is.
    name = next(iter([*usual, *fitting]), _likeliest(states))
    state, renaming = taken[name]
    others = [other for other in fitting if other != name]
    notes = ["" if is_usual(name) or key is not None else f"the weights are those under {name!r}", renaming]
    if others:
        listed = ", ".join(map(repr, others))
        notes.append(f"the weights are those under {name!r}; [model] state_dict takes others that fit: {listed}")
    return state, tuple(note for note in notes if note)


def _likeliest(states: Mapping[str, Mapping[str, Tensor]]) -> str:
    return max(states, key=lambda name: (is_usual(name), len(states[name])))


def _renamed(
    state: Mapping[str, Tensor], module: nn.Module, own: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], str]:
    return renamed(state, own, lambda taken: _is_whole(taken, module, own))


def _is_whole(state: Mapping[str, Tensor], module: nn.Module, own: Mapping[str, Tensor]) -> bool:
    """Whether names and shapes are the module's; buffers may be missing, which the code may fill."""
    state = _without_known_constants(state, module, own)
    missing, unexpected = _differing(state, own)
    buffers = dict(module.named_buffers())
    lost = [name for name in missing if name not in buffers or name.endswith(_LEARNED_BUFFERS)]
    return bool(state) and not (lost or unexpected or _wrong_shapes(state, own))


def _differing(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
    """Names that the file lacks, unless they are tied to one that is there, and those that the module lacks."""
    tied = _tied(own, state)
    return [name for name in own if name not in state and name not in tied], sorted(set(state) - set(own))


def _without_known_constants(
    state: Mapping[str, Tensor], module: nn.Module, own: Mapping[str, Tensor]
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


def _check_gathered(state: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path) -> None:
    empty = [name for name, tensor in state.items() if not tensor.numel() and (name not in own or own[name].numel())]
    if empty:
        raise CheckpointError(f"{path}: {not_gathered(empty)}")


def _check_shapes(state: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path) -> None:
    faults = [
        f"{name} is {tuple(state[name].shape)} in the file, {tuple(own[name].shape)} in the module"
        for name in _wrong_shapes(state, own)
    ]
    if faults:
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise CheckpointError(f"{path}: shapes don't match: {'; '.join(faults[:3])}{more}")


def _wrong_shapes(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    return [name for name, tensor in state.items() if tensor.shape != own[name].shape]


def _check_ties(state: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path) -> None:
    """Two tensors that differ can't go into one place: the second would silently overwrite the first."""
    first: dict[tuple[int, tuple[int, ...], tuple[int, ...]], str] = {}
    for name, tensor in state.items():
        twin = first.setdefault(_place(own[name]), name)
        # Empty tensors share the null address without being tied.
        if twin != name and tensor.numel() and not torch.equal(state[twin], tensor):
            raise CheckpointError(f"{path}: {twin} and {name} are tied in the module, but differ in the file")
