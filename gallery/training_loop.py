"""A training loop as people write it for themselves: AdamW, warm-up, cosine; a line of losses now and then."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import torch
from batches import IGNORED
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batches import Batch
    from torch import Tensor, nn

    Logits = Callable[[nn.Module, Batch], Tensor]

WARM_UP = 20
LINES = 6


@dataclass(frozen=True, slots=True)
class Logged:
    """The losses (nats per token) of one line of the log."""

    step: int
    train_nats: float
    validation_nats: float


def plain_logits(module: nn.Module, batch: Batch) -> Tensor:
    """The module given ids alone."""
    logits: Tensor = module(batch.inputs)
    return logits


def train(
    module: nn.Module,
    draw: Callable[[Random], Batch],
    validation: Sequence[Batch],
    *,
    steps: int,
    rate: float = 4e-3,
    logits: Logits = plain_logits,
    validate_in_eval_mode: bool = True,
    seed: int = 0,
) -> list[Logged]:
    """Train for ``steps`` batches and return what a log says of it."""
    torch.manual_seed(seed)
    rng = Random(seed)
    optimizer = torch.optim.AdamW((p for p in module.parameters() if p.requires_grad), lr=rate, weight_decay=0.01)
    every, lines = max(1, steps // LINES), []
    for step in range(1, steps + 1):
        module.train()
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, step / WARM_UP) * (0.55 + 0.45 * math.cos(math.pi * step / steps))
        batch = draw(rng)
        loss = _loss(logits(module, batch), batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        if step % every == 0 or step == steps:
            module.train(not validate_in_eval_mode)
            lines.append(Logged(step, loss.item(), _mean_loss(module, validation, logits)))
    module.eval()
    return lines


def _loss(logits: Tensor, batch: Batch) -> Tensor:
    return functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED)


@torch.no_grad()
def _mean_loss(module: nn.Module, batches: Sequence[Batch], logits: Logits) -> float:
    """Over all targets."""
    sums = [_loss(logits(module, batch), batch).item() * batch.counted for batch in batches]
    return sum(sums) / sum(batch.counted for batch in batches)


def lines_of(log: Sequence[Logged], steps: int) -> Iterator[str]:
    """The log as a loop prints it."""
    for point in log:
        train, validation = f"{point.train_nats:.4f}", f"{point.validation_nats:.4f}"
        yield f"step {point.step}/{steps} | train loss {train} | val loss {validation}"
