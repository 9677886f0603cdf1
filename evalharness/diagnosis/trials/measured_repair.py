"""What is measured of a checkpoint under a repair, and as loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.losses.counted_losses import COUNTINGS, CountedRow, Counting, counted_losses
from evalharness.diagnosis.losses.encoded_anew import encoded_anew
from evalharness.diagnosis.repair import Repair  # noqa: TC001 - part of a record
from evalharness.records import Interval  # noqa: TC001 - the same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.subject import Split, Subject


def losses_under(repair: Repair, subject: Subject, split: Split, rows: Sequence[TokenRow]) -> tuple[CountedRow, ...]:
    """The losses of rows of a split under a repair, as the same texts in other tokens if it encodes them anew."""
    anew = [] if repair.encode is None else [encoded_anew(row, subject, split, repair.encode) for row in rows]
    with torch.no_grad(), repair.change(subject.torch_model.module):
        given = [item.row for item in anew] if anew else rows
        losses = counted_losses(subject.torch_model, given, subject.end_ids, repair.around_row)
    if not anew:
        return losses
    return tuple(replace(row, text_share=item.text_share) for row, item in zip(losses, anew, strict=True))


@dataclass(frozen=True, slots=True)
class Measurement:
    """The losses of all measured rows, as loaded or under a repair, and how they fit the log."""

    rows: tuple[CountedRow, ...]
    figures: dict[Counting, Interval]

    def nearest(self, logged_nats: float, among: Sequence[Counting] = COUNTINGS) -> Counting:
        """The way to count that comes nearest to the log."""
        known = [how for how in among if how in self.figures] or list(self.figures)
        return min(known, key=lambda how: abs(self.figures[how].estimate - logged_nats))


@dataclass(frozen=True, slots=True)
class Repaired:
    """A repair that was measured on all rows. ``lowered_nats`` is on the half of the rows that did not choose it."""

    repair: Repair
    measurement: Measurement
    counting: Counting
    lowered_nats: Interval
    fits: bool

    @property
    def loss_nats(self) -> Interval:
        """The loss under the repair, counted as it comes nearest to the log."""
        return self.measurement.figures[self.counting]
