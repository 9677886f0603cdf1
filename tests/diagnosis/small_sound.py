"""The small models in health, each trained once."""

from __future__ import annotations

import copy
import functools
from random import Random

import torch
from small_training import END, FAMILIES, Plain, data_rows, encoded, logits_of, subject
from torch import nn
from torch.nn import functional

from evalharness.diagnosis.data.rows import TokenRow

STEPS = 150


def trained(make: str | nn.Module, rows: tuple[TokenRow, ...], steps: int = 100) -> nn.Module:
    """Train soundly on batches of 16 rows, padded to the longest of each batch."""
    torch.manual_seed(0)
    module, rng = FAMILIES[make]() if isinstance(make, str) else make, Random(0)
    module.train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1.0, (step + 1) / 20) * (1 - 0.9 * step / steps)
        ids, targets = padded(rng.sample(rows, 16))
        loss = functional.cross_entropy(logits_of(module, ids).flatten(0, 1), targets.flatten(), ignore_index=-100)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module.eval().requires_grad_(requires_grad=False)


def padded(rows: list[TokenRow]) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets, as long as the longest row; -100 where a target does not count."""
    length = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), length), END)
    targets = torch.full((len(rows), length), -100)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
        targets[i, : len(row.ids) - 1] = torch.tensor(row.ids[1:])
    return ids, targets


@functools.cache
def _sound(family: str) -> nn.Module:
    return trained(family, encoded(data_rows(200, 1), end=True), STEPS)


def sound(family: str) -> nn.Module:
    """A copy of a soundly trained module; each is trained once."""
    return copy.deepcopy(_sound(family))


def of(module: nn.Module, **more):
    return subject(module, end=True, **more)


def layers_of(module: nn.Module):
    return module.layers if isinstance(module, Plain) else module.model.layers
