"""Whether the logged training loss confirms how the logged validation loss was read: the second figure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.diagnosis.losses.logged_training import LATEST
from evalharness.diagnosis.losses.row_means import capped, counted_nll, mean, too_few

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.losses.row_means import Floats
    from evalharness.diagnosis.losses.token_losses import RowLosses
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Interval, LossPoint

BELOW, ABOVE = 0.85, 1.25
"""A logged training loss over the recomputed one: the noise of a batch moves it both ways, dropout and a mean over the
steps since the last line only raise it."""


@dataclass(frozen=True, slots=True)
class TrainingAgreement:
    """A logged training loss that fits this checkpoint, and the recomputed loss (nats) that it fits.

    ``as_validation``: it is computed as the validation loss is; otherwise it is the plain loss in nats.
    """

    step: int
    logged: float
    own: Interval
    as_validation: bool


@dataclass(frozen=True, slots=True)
class LoggedTraining:
    """A logged training loss, and the recomputed ones (nats) of training rows under one convention.

    ``alike`` has the convention's label smoothing, ``plain`` none.
    """

    point: LossPoint
    plain: Interval
    alike: Interval

    def agreement(self, nats: Callable[[float], float]) -> TrainingAgreement | None:
        """The nearer of two readings that fits, or None; ``nats`` turns a logged figure into nats per token."""
        readings = [(nats(self.point.loss_nats), self.alike, True), (self.point.loss_nats, self.plain, False)]
        fitting = [
            (abs(math.log(read / own.estimate)), TrainingAgreement(self.point.step, self.point.loss_nats, own, alike))
            for read, own, alike in readings
            if own.estimate > 0 and BELOW <= read / own.estimate <= ABOVE
        ]
        return min(fitting, key=lambda item: item[0])[1] if fitting else None


def logged_training(measured: Measured, shown_by: Recomputed, step: int | None = None) -> LoggedTraining | None:
    """The training loss logged last for this checkpoint, or for ``step``, with rows laid out as ``shown_by`` has them.

    None without such a loss or with too few rows. Costs a forward pass for each measured training row.
    """
    subject, how = measured.subject, shown_by.convention
    now = step if step is not None else 0 if subject.logged is None else subject.logged.step
    points = [
        p
        for p in (*subject.log, *subject.later)
        if p.split == "train" and LATEST * now <= p.step <= now and p.loss_nats > 0
    ]
    losses = measured.train_losses_in(shown_by.layout.arrangement, prompt=how.prompt) if points else ()
    if not points or too_few(losses):
        return None
    plain = mean(map(counted_nll, losses), subject.seed)
    alike = mean([_smoothed(row, how.smoothing) for row in losses], subject.seed) if how.smoothing else plain
    return LoggedTraining(max(points, key=lambda p: p.step), plain, alike)


def latest_training(measured: Measured) -> float | None:
    """The training loss logged last for this checkpoint, within the last tenth of its steps; None without one."""
    now = 0 if measured.subject.logged is None else measured.subject.logged.step
    points = [p for p in measured.subject.log if p.split == "train" and LATEST * now <= p.step <= now]
    return max(points, key=lambda point: point.step).loss_nats if points else None


def was_trained_so(measured: Measured, shown_by: Recomputed, step: int) -> bool:
    """Whether the training loss logged nearest to a step can be this checkpoint's; also where none is near it."""
    train = [point for point in measured.subject.log if point.split == "train" and point.loss_nats > 0]
    points = [point for point in train if LATEST * step <= point.step <= step / LATEST]
    losses = measured.train_losses_in(shown_by.layout.arrangement, prompt=shown_by.convention.prompt) if points else ()
    if not points or too_few(losses):
        return True
    nearest = min(points, key=lambda point: abs(point.step - step))
    own = mean(map(counted_nll, losses), measured.subject.seed).estimate
    return own > 0 and BELOW <= nearest.loss_nats / own <= ABOVE


def _smoothed(row: RowLosses, strength: float) -> Floats:
    return capped((1 - strength) * row.nll_nats[row.counted] + strength * row.mean_nll_nats[row.counted])
