"""Training losses in the log that the true loss does not give: multiples of it, or losses under label smoothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalharness.diagnosis.losses.conventions import STRENGTHS, UNEVEN_NATS
from evalharness.diagnosis.losses.recomputed_loss import FIGURES
from evalharness.diagnosis.losses.row_means import capped, counted_nll, mean, too_few

if TYPE_CHECKING:
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Interval, LossPoint

LEAST_TIMES = 1.7
"""Dropout and the noise of a single batch move a training loss by some tenths of itself, and never double it."""
NEAR_WHOLE = 0.15
"""How far from a whole number the factor may be, as a share of it, however few rows were measured."""
ROWS_OF_A_BATCH = 8
"""A small batch as it is used: a logged training loss has the sampling error of the rows of one batch or more."""
TIMES_AT_FIRST = 4
"""The least multiple that is named at the first line of a log, which may be a mean since before anything was learnt."""
LATEST = 0.9
"""A training loss is this checkpoint's if it was logged within the last tenth of its steps."""
WIDE_START_NATS = 1.0
"""So much above the loss of equal chances a model may start whose logits are wide."""
RISEN = 1.1
"""A mean over the steps since the last validation is no more than this above the higher of the two around it."""


@dataclass(frozen=True, slots=True)
class Multiple:
    """The logged training loss, the recomputed one, and how many times the one is in the other (below 1: a part).

    ``rows`` is the number of training rows that were measured.
    """

    point: LossPoint
    own: Interval
    rows: int
    factor: float

    @property
    def times(self) -> int:
        """The whole number that the factor, or its inverse, is near."""
        return round(self.apart)

    @property
    def apart(self) -> float:
        """The factor or its inverse, whichever is above 1."""
        return max(self.factor, 1 / self.factor)

    @property
    def is_whole(self) -> bool:
        """Whether the factor is a whole number within the sampling error; a sum has the rows of several batches."""
        return self._is_whole(self.apart)

    @property
    def chance(self) -> float:
        """The share of the factors up to twice this one, in equal ratios, that would be a whole number as well."""
        return float(np.mean([self._is_whole(apart) for apart in np.geomspace(LEAST_TIMES, 2 * self.apart, FIGURES)]))

    def _is_whole(self, apart: float) -> bool:
        times = round(apart)
        return abs(apart / times - 1) <= _room(self.own, self.rows, ROWS_OF_A_BATCH * times)


@dataclass(frozen=True, slots=True)
class AboveUntrained:
    """The first training loss of a log, above ``uniform_nats``, that of equal chances: none starts so high.

    It is a second figure for a sum, or a multiple, that was logged.
    """

    point: LossPoint
    uniform_nats: float


@dataclass(frozen=True, slots=True)
class Smoothed:
    """The logged training loss, and the recomputed one with the label smoothing that gives it."""

    point: LossPoint
    strength: float
    loss: Interval


def logged_multiple(measured: Measured) -> Multiple | None:
    """The multiple, if the log can't be of the true loss; None where it can, or can't be told.

    A logger may give the mean over all steps since its last line, so the loss that training came from is asked as well:
    the validation loss before, else what the model could not begin above. Costs the losses of the training rows.
    """
    multiple = _far_from_own(measured)
    if multiple is None or not multiple.is_whole or smoothed_in_training(measured) is not None:
        return None
    return multiple


def above_untrained(measured: Measured) -> AboveUntrained | None:
    """The first logged training loss, if it is further above that of equal chances than wide logits start."""
    uniform = math.log(measured.subject.torch_model.vocabulary_rows)
    points = [p for p in measured.subject.log if p.split == "train"]
    first = min(points, key=lambda p: p.step, default=None)
    return AboveUntrained(first, uniform) if first and first.loss_nats > uniform + WIDE_START_NATS else None


def smoothed_in_training(measured: Measured) -> Smoothed | None:
    """The label smoothing under which this checkpoint gives the logged training loss; None if none does.

    Asked only where the loss without smoothing is far below the logged one. A model that was trained with smoothing
    leaves much to all other ids, so that one which does not was not trained so.
    """
    far = _far_from_own(measured)
    if far is None or far.factor < 1:
        return None
    declared = measured.subject.declared.label_smoothing
    strengths = filter(None, {*STRENGTHS, *([] if declared is None else [declared])})
    tried = [Smoothed(far.point, strength, loss) for strength in strengths if (loss := _loss(measured, strength))]
    giving = [one for one in tried if abs(_off(one)) <= _room(one.loss, far.rows, ROWS_OF_A_BATCH)]
    return min(giving, key=lambda one: abs(_off(one)), default=None)


def _off(smoothed: Smoothed) -> float:
    return smoothed.point.loss_nats / smoothed.loss.estimate - 1


def _loss(measured: Measured, strength: float) -> Interval | None:
    """The training loss with label smoothing; None if the model can't have been trained with it."""
    rows, vocabulary = measured.train_losses, measured.subject.torch_model.vocabulary_rows
    seed = measured.subject.seed
    others = mean([row.mean_nll_nats[row.counted] for row in rows], seed)
    if not others.estimate <= math.log(vocabulary / strength) + UNEVEN_NATS:
        return None
    return mean(
        [(1 - strength) * counted_nll(row) + strength * capped(row.mean_nll_nats[row.counted]) for row in rows], seed
    )


def _room(loss: Interval, rows: int, of_rows: int) -> float:
    """How far apart, as shares, a loss of ``rows`` and one of ``of_rows`` others may be by the rows alone."""
    share = max(loss.estimate - loss.low, loss.high - loss.estimate) / loss.estimate
    return min(NEAR_WHOLE, share * math.sqrt(1 + rows / of_rows))


def _far_from_own(measured: Measured) -> Multiple | None:
    """The last training loss, if it is far from the recomputed one and no mean since a time when it was as high."""
    subject = measured.subject
    now = 0 if subject.logged is None else subject.logged.step
    points = [p for p in subject.log if p.split == "train" and LATEST * now <= p.step <= now and p.loss_nats > 0]
    if not points or subject.train is None or too_few(measured.train_losses):
        return None
    point = max(points, key=lambda p: p.step)
    own = mean(map(counted_nll, measured.train_losses), subject.seed)
    if own.estimate <= 0:
        return None
    multiple = Multiple(point, own, len(measured.train_losses), point.loss_nats / own.estimate)
    is_far = multiple.apart >= LEAST_TIMES and (multiple.factor < 1 or not _can_be_a_mean(measured, multiple))
    return multiple if is_far and not counts_prompt_otherwise(measured, point) else None


def counts_prompt_otherwise(measured: Measured, point: LossPoint) -> bool:
    """Whether it is the loss of training rows with the prompt, and validation is without it, or the other way round."""
    shown_by = measured.established.shown_by
    if shown_by is None:
        return False
    losses = measured.train_losses_in(shown_by.layout.arrangement, prompt=not shown_by.convention.prompt)
    if too_few(losses):
        return False
    other = mean(map(counted_nll, losses), measured.subject.seed)
    off = point.loss_nats / other.estimate - 1 if other.estimate > 0 else math.inf
    return abs(off) <= _room(other, len(losses), ROWS_OF_A_BATCH)


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
