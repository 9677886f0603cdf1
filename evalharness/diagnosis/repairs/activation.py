"""Layers with another activation than in training: no weight tells which it was."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from evalharness.diagnosis.losses.counted_losses import rows_with_end
from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.activations import ACTIVATIONS, OtherActivation
from evalharness.diagnosis.trials.kept_values import kept_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from torch import nn

    from evalharness.diagnosis.subject import Subject

KEYS = ("hidden_act", "hidden_activation", "activation_function", "activation")
"""What configurations call it."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """The other activations that are in use, if the model has one of them everywhere."""
    names = _names(subject)
    if len(names) != 1:
        return
    own = next(iter(names))
    kept = kept_values(subject.torch_model.module, KEYS, str)
    key = next((path.rpartition(".")[2] for path in kept), None)
    for name in ACTIVATIONS:
        if name != own:
            yield Repair(
                kind="activation",
                words=f"the activation `{name}`",
                place=f"config.json, `{key}`" if key else "the layers' forward pass",
                remedy=f"Use the activation `{name}`, as in training: the layers have `{own}` here.",
                all_or_nothing=True,
                change=partial(_replaced, name=name),
                settings={key: name} if key else {},
                present={key: own} if key else {},
                sharp=True,
            )


def _replaced(_module: nn.Module, name: str) -> AbstractContextManager[Any]:
    return OtherActivation(ACTIVATIONS[name])


def _names(subject: Subject) -> set[str]:
    """The activations that one pass over a row meets."""
    split = subject.validation or subject.train
    if split is None or not split.encoded:
        return set()
    ids = rows_with_end(subject, split, split.encoded[:1])[0].ids
    noted = OtherActivation()
    with noted:
        subject.torch_model.logits(torch.tensor([ids], device=subject.torch_model.device))
    return noted.names
