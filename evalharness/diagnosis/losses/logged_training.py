"""Whether the logged training loss is a multiple of the true one, as where a loop sums over the batches of one step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.diagnosis.losses.row_means import counted_nll, mean, too_few

if TYPE_CHECKING:
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Interval, LossPoint

LEAST_TIMES = 1.7
"""Dropout and the noise of a single batch move a training loss by some tenths of itself, and never double it."""
NEAR_WHOLE = 0.15
"""How far from a whole number the factor may be, as a share of it: the sampling error of one batch."""
TIMES_AT_FIRST = 4
"""The least multiple that is named at the first line of a log, which may be a mean since before anything was learnt."""
LATEST = 0.9
"""A training loss is this checkpoint's if it was logged within the last tenth of its steps."""
RISEN = 1.1
"""A mean over the steps since the last validation is no more than this above the higher of the two around it."""


@dataclass(frozen=True, slots=True)
class Multiple:
    """The logged training loss, the recomputed one, and how many times the one is in the other (below 1: a part)."""

    point: LossPoint
    own: Interval
    factor: float

    @property
    def times(self) -> int:
        """The whole number that the factor, or its inverse, is near."""
        return round(max(self.factor, 1 / self.factor))


def logged_multiple(measured: Measured) -> Multiple | None:
    """The multiple, if the log can't be of the true loss; None where it can, or can't be told.

    A logger may give the mean over all steps since its last line, so the loss that training came from is asked as well:
    the validation loss before, else what the model could not begin above. Costs the losses of the training rows.
    """
    subject = measured.subject
    now = 0 if subject.logged is None else subject.logged.step
    points = [p for p in subject.log if p.split == "train" and LATEST * now <= p.step <= now and p.loss_nats > 0]
    if not points or subject.train is None or too_few(measured.train_losses):
        return None
    point = max(points, key=lambda p: p.step)
    own = mean(map(counted_nll, measured.train_losses), subject.seed)
    if own.estimate <= 0:
        return None
    multiple = Multiple(point, own, point.loss_nats / own.estimate)
    apart = max(multiple.factor, 1 / multiple.factor)
    if apart < LEAST_TIMES or abs(apart / multiple.times - 1) > NEAR_WHOLE:
        return None
    return multiple if multiple.factor < 1 or not _can_be_a_mean(measured, multiple) else None


def _can_be_a_mean(measured: Measured, multiple: Multiple) -> bool:
    """Whether the loss can have been so high on average since the last line of the log.

    A loss falls fast first and slowly later: its mean over a whole run is nearer to its end than to its beginning.
    """
    subject, own_nats = measured.subject, multiple.own.estimate
    before = [p for p in subject.log if p.split == "validation" and p.step < multiple.point.step]
    if before:
        return multiple.point.loss_nats <= RISEN * max(own_nats, max(before, key=lambda p: p.step).loss_nats)
    at_first = math.log(subject.torch_model.vocabulary_rows)
    return multiple.times < TIMES_AT_FIRST or multiple.point.loss_nats <= (at_first + 2 * own_nats) / 3
