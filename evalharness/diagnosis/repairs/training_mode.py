"""Modules in training mode: dropout that stays on, statistics of the batch."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.module_modes import evaluating
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.subject import Subject

DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
NOISE = 0.01
"""Dropout draws anew each time: the mean over some thousand targets moves by up to a hundredth."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Every class of modules that acts otherwise in training, and all of them."""
    module = subject.torch_model.module
    paths = [path for path, part in module.named_modules() if _acts_otherwise(part)]
    classes = {type(module.get_submodule(path)).__name__ for path in paths}
    groups = {f"`{name}`": [p for p in paths if type(module.get_submodule(p)).__name__ == name] for name in classes}
    if _has_functional_dropout(module):
        groups["the whole model"] = [path for path, _ in module.named_modules()]
    for name, chosen in groups.items():
        yield Repair(
            kind="training_mode",
            words=f"{name} in training mode ({chosen[0] or 'the model'} first, {counted(len(chosen), 'module')})",
            place=chosen[0],
            remedy="Call model.eval() before validation: the loss was logged in training mode.",
            change=partial(_training, paths=tuple(chosen)),
            lowers=False,
            tolerance=NOISE,
            severity="contributing",
        )


def _acts_otherwise(part: nn.Module) -> bool:
    if isinstance(part, DROPOUT):
        return part.p > 0
    return isinstance(part, BATCH_NORM)


def _has_functional_dropout(module: nn.Module) -> bool:
    """Whether some module keeps a probability of dropout as a number, for a call in its forward pass."""
    return any(
        isinstance(value, float) and 0 < value < 1 and "drop" in name
        for part in module.modules()
        for name, value in vars(part).items()
    )


@contextmanager
def _training(module: nn.Module, paths: tuple[str, ...]) -> Iterator[None]:
    with evaluating(module):
        torch.manual_seed(0)
        for path in paths:
            module.get_submodule(path).training = True
        yield
