"""The forward pass in half precision, as mixed precision runs it."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.repair import Repair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from evalharness.diagnosis.subject import Subject


def repairs(subject: Subject) -> Iterator[Repair]:
    """bfloat16 for a model that runs in float32."""
    if next(subject.torch_model.module.parameters(), torch.empty(0)).dtype != torch.float32:
        return
    yield Repair(
        kind="precision",
        words="bfloat16 where mixed precision has it",
        place="--dtype",
        remedy="The log was computed in bfloat16: look for a layer that loses too much in it.",
        change=partial(_autocast, device=subject.torch_model.device.type),
        lowers=False,
        severity="note",
    )


@contextmanager
def _autocast(_module: nn.Module, device: str) -> Iterator[None]:
    with torch.autocast(device, torch.bfloat16):
        yield
