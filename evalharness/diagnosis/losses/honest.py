"""The honest loss: that of the parallel pass, plus what the tokens after each target were worth to it.

In a causal model they are worth nothing, and the parallel loss is the honest one. A few dozen targets certify that.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.losses.row_means import Floats, capped, counted_nll, mean
from evalharness.diagnosis.trials.logit_changes import tolerance_of
from evalharness.errors import EvaluationError
from evalharness.models.protocols import last_logits
from evalharness.statistics import ratio_over_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evalharness.diagnosis.losses.token_losses import RowLosses, TokenLosses
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Interval

CERTIFYING = 32
"""Targets that certify a causal model, each of another row where there are as many. A leak is in all rows: if a tenth
of all targets differed, 32 at random would all miss them once in thirty times, and `future_leak` has cleared it too."""
TARGETS = 1536
"""The most targets that are predicted from their prefix: each costs a forward pass over it."""
NARROW_SHARE = 0.05
"""The interval needs no more targets once it is within a twentieth of the honest loss,"""
NARROW_NATS = 0.05
"""or within this of it: what runs with other seeds differ by."""


@dataclass(frozen=True, slots=True)
class RowLoss:
    """The losses (nats per token) of one row of ``targets`` targets; ``row`` is its place among the measured rows."""

    row: int
    targets: int
    parallel_nats: float
    honest_nats: float


@dataclass(frozen=True, slots=True)
class PairedLoss:
    """Mean negative log-likelihood (nats) over the same targets: of whole rows, and of the tokens before each target.

    ``checked`` of the ``targets`` were predicted from their prefix alone, drawn at random. Where the model is causal
    and all of them agree the honest loss is the parallel one; else the mean difference on them is added to it.
    ``by_row`` are the same losses row by row: two checkpoints with the same data have the same rows and targets.
    """

    parallel_nats: Interval
    honest_nats: Interval
    targets: int
    rows: int
    checked: int
    by_row: tuple[RowLoss, ...] = ()


def paired_loss(
    model: TorchModel,
    losses: TokenLosses,
    *,
    is_causal: bool = False,
    targets: int = TARGETS,
    batch_size: int = 32,
    seed: int = 0,
    shortest: int = 1,
    after_prompt: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> PairedLoss:
    """Measure the honest loss of the rows whose parallel ``losses`` are known.

    A target's honest loss comes from a forward pass whose input ends right before it: no later token, and no padding,
    is there to be seen. ``is_causal``: the model was shown to be, so :data:`CERTIFYING` targets are enough if they
    agree; else as many as the interval needs, up to ``targets``. None has fewer than ``shortest`` ids before it, and
    every row has to be longer than that. ``after_prompt``: none is of the prompt, whose tokens see each other. The
    interval is over rows. ``advance`` is called for each target that was predicted so. Raises
    :class:`EvaluationError` where a loss is NaN, and ``ValueError`` without a target.
    """
    parallel = [counted_nll(row) for row in losses]
    parallel_nats = mean(parallel, seed)
    firsts = [max(row.row.first_target, shortest, row.row.prompt_tokens if after_prompt else 0) for row in losses]
    drawn = _Drawn(model, losses, firsts, batch_size, seed, advance)
    is_certified = is_causal and drawn.certify()
    gaps = [0.0] * len(losses) if is_certified else _gaps(drawn, parallel, targets, seed)
    counts = [float(len(row)) for row in parallel]
    of_rows = [float(row.sum()) for row in parallel]
    honest = [total + gap * count for total, gap, count in zip(of_rows, gaps, counts, strict=True)]
    return PairedLoss(
        parallel_nats=parallel_nats,
        honest_nats=ratio_over_rows(honest, counts, seed=seed),
        targets=int(sum(counts)),
        rows=len(losses),
        checked=drawn.checked,
        by_row=tuple(
            RowLoss(i, int(count), total / count, true / count)
            for i, (count, total, true) in enumerate(zip(counts, of_rows, honest, strict=True))
        ),
    )


def _gaps(drawn: _Drawn, parallel: Sequence[Floats], targets: int, seed: int) -> list[float]:
    """By row how much higher its honest loss is (nats per token), from more and more targets of each."""
    counts = [float(len(row)) for row in parallel]
    parallel_nats = sum(float(row.sum()) for row in parallel) / sum(counts)
    of_each = 1
    while True:
        of_each *= 2
        gaps = drawn.gaps(of_each)
        gap = ratio_over_rows([g * count for g, count in zip(gaps, counts, strict=True)], counts, seed=seed)
        allowed = max(NARROW_NATS, NARROW_SHARE * (parallel_nats + gap.estimate))
        is_narrow = (gap.high - gap.low) / 2 <= allowed
        if is_narrow or drawn.checked == sum(counts) or 2 * of_each * len(counts) > targets:
            return gaps


class _Drawn:
    """Targets of rows, from the first one of each on, in a random order, and the honest losses of those asked for."""

    def __init__(
        self,
        model: TorchModel,
        losses: TokenLosses,
        firsts: Sequence[int],
        batch_size: int,
        seed: int,
        advance: Callable[[], None],
    ) -> None:
        self._model, self._losses, self._batch_size, self._advance = model, losses, batch_size, advance
        rng = np.random.default_rng(seed)
        ends = [len(row.row.ids) for row in losses]
        self._orders = [rng.permutation(np.arange(first, end)) for first, end in zip(firsts, ends, strict=True)]
        self._honest: list[dict[int, float]] = [{} for _ in losses]

    @property
    def checked(self) -> int:
        """How many targets have an honest loss."""
        return sum(map(len, self._honest))

    def certify(self) -> bool:
        """Whether all of :data:`CERTIFYING` targets have the parallel loss, but for rounding."""
        of_each = -(-CERTIFYING // max(1, len(self._losses)))
        self._measure(evenly(range(len(self._losses)), CERTIFYING), of_each)
        allowed = tolerance_of(self._model)
        return all(
            abs(honest - parallel) <= allowed * (1 + parallel)
            for i in range(len(self._losses))
            for honest, parallel in self._pairs(i)
        )

    def gaps(self, of_each: int) -> list[float]:
        """The mean of honest less parallel loss (nats) of each row, over its first ``of_each`` drawn targets."""
        self._measure(range(len(self._losses)), of_each)
        return [sum(h - p for h, p in self._pairs(i)) / len(self._honest[i]) for i in range(len(self._losses))]

    def _pairs(self, i: int) -> Iterator[tuple[float, float]]:
        """Honest and parallel loss (nats) of each target of row ``i`` that was measured."""
        nll = capped(self._losses[i].nll_nats)
        return ((honest, float(nll[t - 1])) for t, honest in self._honest[i].items())

    def _measure(self, rows: Sequence[int], of_each: int) -> None:
        """Predict the first ``of_each`` drawn targets of ``rows`` from their prefixes; those of one length together."""
        by_length: dict[int, list[int]] = defaultdict(list)
        for i in rows:
            for t in map(int, self._orders[i][:of_each]):
                if t not in self._honest[i]:
                    by_length[t].append(i)
        for t, members in sorted(by_length.items()):
            for begin in range(0, len(members), self._batch_size):
                batch = members[begin : begin + self._batch_size]
                for i, loss in zip(batch, _of_prefixes(self._model, [self._losses[i] for i in batch], t), strict=True):
                    self._honest[i][t] = loss
                    self._advance()


def _of_prefixes(model: TorchModel, rows: Sequence[RowLosses], t: int) -> list[float]:
    """The losses (nats) of the ids at ``t``, given the ``t`` ids before them and nothing else."""
    ids = torch.tensor([row.row.ids[:t] for row in rows], device=model.device)
    log_p = torch.log_softmax(last_logits(model, ids).double(), dim=-1)
    losses = [-float(of_row[row.row.ids[t]]) for row, of_row in zip(rows, log_p, strict=True)]
    if any(math.isnan(loss) for loss in losses):
        raise EvaluationError(f"the model returns NaN on {t} tokens of its own data")
    return [float(loss) for loss in capped(np.array(losses))]
