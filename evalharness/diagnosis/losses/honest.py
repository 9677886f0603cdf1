"""The loss as a training loop computes it, and the honest one, over the same targets."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING

import torch

from evalharness.errors import EvaluationError
from evalharness.statistics import mean_over_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Interval

TARGETS = 1536
"""How many targets the honest loss is measured on: each costs a forward pass over its prefix."""


@dataclass(frozen=True, slots=True)
class RowLoss:
    """The losses (nats) of one row, means over its ``targets`` drawn targets; ``row`` is its place in the data."""

    row: int
    targets: int
    parallel_nats: float
    honest_nats: float


@dataclass(frozen=True, slots=True)
class PairedLoss:
    """Mean negative log-likelihood (nats) over the same targets: of whole rows, and of the tokens before each target.

    ``by_row`` are the same losses row by row: two checkpoints with the same data have the same rows and targets.
    """

    parallel_nats: Interval
    honest_nats: Interval
    targets: int
    rows: int
    by_row: tuple[RowLoss, ...] = ()


def paired_loss(
    model: TorchModel, rows: Sequence[TokenRow], *, targets: int = TARGETS, batch_size: int = 32, seed: int = 0
) -> PairedLoss:
    """Measure both losses on up to ``targets`` targets drawn at random from all of ``rows``, which are cut already.

    The honest loss of a target comes from a forward pass whose input ends right before it: no later token, and no
    padding, is there to be seen. Rows of one length go together. The interval is over rows. In a causal model the two
    agree. Raises :class:`EvaluationError` where a loss is not finite, and ``ValueError`` without a target.
    """
    chosen = _chosen_targets(rows, targets, Random(seed))  # noqa: S311 - picks targets, keeps no secret
    parallel = _parallel(model, rows, chosen)
    honest = _prefix_only(model, rows, chosen, batch_size)
    return PairedLoss(
        parallel_nats=mean_over_rows(parallel, seed=seed),
        honest_nats=mean_over_rows(honest, seed=seed),
        targets=sum(map(len, chosen.values())),
        rows=len(chosen),
        by_row=tuple(RowLoss(i, len(losses), fmean(losses), fmean(honest[i])) for i, losses in parallel.items()),
    )


def _chosen_targets(rows: Sequence[TokenRow], count: int, rng: Random) -> dict[int, list[int]]:
    """Positions of the targets by row."""
    every = [(i, t) for i, row in enumerate(rows) for t in range(row.first_target, len(row.ids))]
    chosen: dict[int, list[int]] = defaultdict(list)
    for i, t in sorted(rng.sample(every, min(count, len(every)))):
        chosen[i].append(t)
    return chosen


def _parallel(model: TorchModel, rows: Sequence[TokenRow], chosen: dict[int, list[int]]) -> dict[int, list[float]]:
    """Each row in one pass over its inputs, which are all its ids but the last, as a training loop gives them."""
    losses = {}
    for i, positions in chosen.items():
        ids = torch.tensor([rows[i].ids], device=model.device)
        log_p = torch.log_softmax(model.logits(ids[:, :-1])[0].double(), dim=-1)
        losses[i] = [_finite(-log_p[t - 1, rows[i].ids[t]].item()) for t in positions]
    return losses


def _prefix_only(
    model: TorchModel, rows: Sequence[TokenRow], chosen: dict[int, list[int]], batch_size: int
) -> dict[int, list[float]]:
    by_length: dict[int, list[int]] = defaultdict(list)
    for i, positions in chosen.items():
        for t in positions:
            by_length[t].append(i)
    losses: dict[int, list[float]] = defaultdict(list)
    for t, members in sorted(by_length.items()):
        for begin in range(0, len(members), batch_size):
            batch = members[begin : begin + batch_size]
            ids = torch.tensor([rows[i].ids[:t] for i in batch], device=model.device)
            log_p = torch.log_softmax(model.logits(ids)[:, -1].double(), dim=-1)
            for i, row_log_p in zip(batch, log_p, strict=True):
                losses[i].append(_finite(-row_log_p[rows[i].ids[t]].item()))
    # In the rows' order: the bootstraps of both losses then draw the same rows, and equal losses have equal intervals.
    return {i: losses[i] for i in chosen}


def _finite(loss_nats: float) -> float:
    if not math.isfinite(loss_nats):
        raise EvaluationError(f"the loss of a target is {loss_nats}: the model returns NaN or infinity on its own data")
    return loss_nats
