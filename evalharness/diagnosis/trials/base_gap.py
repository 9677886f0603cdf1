"""Whether a run can have started from the base that an adapter is put over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.diagnosis.losses.counted_losses import Counting, counted_losses, figure

if TYPE_CHECKING:
    from evalharness.diagnosis.trials.repair_search import RepairSearch
    from evalharness.records import LossPoint

TIMES = 4.0
"""The base is another one if its loss is above the log's first by four times what the adapter lowers it by: training
had learned far less than that when it first logged."""


@dataclass(frozen=True, slots=True)
class BaseGap:
    """The loss of the base alone, far above ``first``, the first that was logged, and what the adapter lowers it by."""

    first: LossPoint
    base_nats: float
    lowered_nats: float
    counting: Counting


def base_gap(search: RepairSearch) -> BaseGap | None:
    """The gap however prompt and end are counted, told as it is smallest; None without an adapter or without a gap."""
    subject = search.subject
    points = [point for point in subject.log if point.split == "validation"]
    if subject.without_adapter is None or not points:
        return None
    alone = counted_losses(subject.without_adapter, search.rows, subject.end_ids)
    gaps: list[BaseGap] = []
    for counting, loaded in search.as_loaded.figures.items():
        base = figure(alone, counting, subject.seed)
        if base is None:
            continue
        lowered = base.estimate - loaded.estimate
        learned = max(abs(lowered), abs(points[0].loss_nats - points[-1].loss_nats), search.error_nats(base))
        if base.estimate - points[0].loss_nats <= TIMES * learned:
            return None
        gaps.append(BaseGap(points[0], base.estimate, lowered, counting))
    return min(gaps, key=lambda gap: gap.base_nats, default=None)
