"""The mean of the means of batches, in which a row of few targets counts as much as one of many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from torch import nn

from evalharness.diagnosis.losses.logged_training import counts_prompt_otherwise
from evalharness.diagnosis.losses.row_means import counted_nll, mean, too_few
from evalharness.records import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.losses.row_means import Floats
    from evalharness.diagnosis.measured import Measured

ROWS_OF_A_BATCH = (1, 2, 4, 8)
"""Batches whose means may have been averaged. In larger ones long and short rows are mixed, and hardly differ."""
DRAWN = 1000
"""Batches drawn at random of the measured rows: the mean of their means is then known within a few per cent."""
FEWEST_LINES = 3
"""Lines with both losses in the second half of a log, whose scatter is the error of their mean."""
LATER_HALF = 0.5
"""Of the steps so far: both losses then fall slowly, so that their ratio is near that of now."""
ROUNDED = 0.02
"""How far apart, as a share, losses are that differ by the rows of a batch alone, however little the lines scatter."""
CLEARLY, WITHIN = 3.0, 2.0
"""Standard errors between the lines and what did not give them, and between them and what did."""


@dataclass(frozen=True, slots=True)
class BatchMeans:
    """How many times the validation loss the training loss is, as logged and by two ways to average it.

    ``logged`` has the geometric mean over ``lines`` of the log. ``over_tokens`` and ``over_batches`` (nats) are the
    losses of training rows now, over all their tokens and over the means of batches of ``rows``.
    """

    logged: float
    lines: int
    validation_nats: float
    over_tokens: Interval
    over_batches: Interval
    rows: int


def batch_means(measured: Measured) -> BatchMeans | None:
    """The size of batches whose averaged means give the logged training losses, where the mean over tokens does not.

    One training loss is that of some rows. So the lines with a validation loss beside it are compared, which is over
    all tokens. None if the mean over tokens may be what was logged, if it counts the prompt otherwise, or in a model
    with dropout, which raises the training loss as well.
    """
    subject, losses, validation = measured.subject, measured.train_losses, measured.validation_losses
    lines = _lines(measured)
    last = max((p for p in subject.log if p.split == "train"), key=lambda p: p.step, default=None)
    if len(lines) < FEWEST_LINES or last is None or too_few(losses) or too_few(validation):
        return None
    if _drops(subject.torch_model.module) or counts_prompt_otherwise(measured, last):
        return None
    rows = [counted_nll(row) for row in losses]
    own, over_tokens = mean(map(counted_nll, validation), subject.seed).estimate, mean(rows, subject.seed)
    off = _Off(fmean(lines), max(ROUNDED, stdev(lines) / math.sqrt(len(lines))), own)
    if off.errors(over_tokens) < CLEARLY:
        return None
    made = [(size, _mean_of_means(rows, size, subject.seed)) for size in ROWS_OF_A_BATCH]
    size, nearest = min(made, key=lambda item: off.errors(item[1]))
    if off.errors(nearest) > WITHIN:
        return None
    return BatchMeans(math.exp(off.ratio), len(lines), own, over_tokens, nearest, size)


@dataclass(frozen=True, slots=True)
class _Off:
    """The logarithm of the logged ratio, its standard error, and the validation loss now (nats)."""

    ratio: float
    error: float
    own: float

    def errors(self, loss: Interval) -> float:
        """How many standard errors lie between the lines and the ratio that a training loss gives."""
        sampling = (loss.high - loss.low) / 4 / loss.estimate
        return abs(self.ratio - math.log(loss.estimate / self.own)) / math.hypot(self.error, sampling)


def _lines(measured: Measured) -> list[float]:
    """The logarithm of training over validation loss, of each step of the later half at which both were logged."""
    log = measured.subject.log
    now = 0 if measured.subject.logged is None else measured.subject.logged.step
    known = {p.step: p.loss_nats for p in log if p.split == "validation" and LATER_HALF * now <= p.step <= now}
    return [
        math.log(p.loss_nats / known[p.step])
        for p in log
        if p.split == "train" and known.get(p.step, 0.0) > 0 and p.loss_nats > 0
    ]


def _drops(module: nn.Module) -> bool:
    return any(isinstance(part, nn.Dropout) and part.p > 0 for part in module.modules())


def _mean_of_means(rows: Sequence[Floats], of_batch: int, seed: int) -> Interval:
    """The mean over drawn batches of the mean over a batch's tokens; its interval is over rows."""
    rng = Random(seed)  # noqa: S311 - picks batches, keeps no secret
    drawn = [[row, *rng.choices(rows, k=of_batch - 1)] for _ in range(-(-DRAWN // len(rows))) for row in rows]
    means = [sum(float(row.sum()) for row in batch) / sum(map(len, batch)) for batch in drawn]
    estimate = fmean(means)
    error = stdev(means) * math.sqrt(of_batch / len(rows))
    return Interval(estimate, estimate - WITHIN * error, estimate + WITHIN * error)
