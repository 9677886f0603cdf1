"""The state dicts in what a training loop saved, under whatever key, and which of them is the model's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    State = Mapping[str, Tensor]

USUAL_KEYS = ("model_state_dict", "model", "state_dict")
_SEPARATOR = "."
# An optimizer keeps tensors by the parameters' names too; they are not the parameters.
_NOT_THE_MODEL = ("optim", "sched", "lr_sched", "scaler", "rng", "callbacks", "loops", "random")
_DEEPEST = 4


def state_dicts_in(saved: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield each state dict with its key, such as ``net`` or ``ema.model``; the key is empty for the file itself.

    Those under the usual keys come first. A mapping of tensors among other values comes last: it may be a state dict
    with a step beside it.
    """
    if isinstance(saved, torch.nn.Module):
        saved = saved.state_dict()
    named = _named(saved, at)
    tensors = {name: value for name, value in named.items() if isinstance(value, Tensor)}
    if tensors and len(tensors) == len(named):
        yield _SEPARATOR.join(at), tensors
        yield from _side_by_side(tensors, at)
        return
    if len(at) < _DEEPEST:
        for name in sorted(named, key=_usual_first):
            if not name.startswith(_NOT_THE_MODEL):
                yield from state_dicts_in(named[name], (*at, name))
    if any(_SEPARATOR in name for name in tensors):
        yield _SEPARATOR.join(at), tensors


def _side_by_side(tensors: State, at: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Those of one mapping that differ in their names' first part alone: ``online_model.x`` and ``ema_model.x``."""
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        first, _, rest = name.partition(_SEPARATOR)
        groups.setdefault(first, {})[rest] = tensor
    for first, group in groups.items():
        twins = sum(other.keys() == group.keys() for other in groups.values())
        if twins > 1 and len(group) > 1:
            yield _SEPARATOR.join((*at, first)), group


def is_usual(key: str) -> bool:
    """Whether a state dict lies where training loops usually put it: alone, or under one of the usual keys.

    >>> is_usual("model"), is_usual("ema.model")
    (True, False)
    """
    return all(part in USUAL_KEYS for part in key.split(_SEPARATOR) if part)


def _named(saved: Any, at: tuple[str, ...]) -> dict[str, Any]:
    """The parts of a mapping, or of a list such as ``(model.state_dict(), optimizer.state_dict())``, by name."""
    if isinstance(saved, (list, tuple)) and not at:
        return {str(place): value for place, value in enumerate(saved)}
    if isinstance(saved, Mapping) and all(isinstance(name, str) for name in saved):
        return dict(saved)
    return {}


def _usual_first(name: str) -> int:
    return USUAL_KEYS.index(name) if name in USUAL_KEYS else len(USUAL_KEYS)
