"""NaN where a log has no value: a row of a table with the training loss of its step, and no validation made there."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.records import LossPoint, Split
    from evalharness.training_log.open_log import OpenLog

_LOSS = attrgetter("loss_nats")


def all_finite(points: Sequence[LossPoint]) -> bool:
    """Whether no loss is NaN or infinite; a sum is so if one of its terms is."""
    return math.isfinite(sum(map(_LOSS, points)))


def without_placeholders(points: Sequence[LossPoint], log: OpenLog) -> tuple[LossPoint, ...]:
    """The losses without each NaN that stands in a row with a finite loss, if a finite one of its split comes later.

    A loss that diverged does not come back.
    """
    if all_finite(points):
        return tuple(points)
    last: dict[Split, int] = {point.split: at for at, point in enumerate(points) if math.isfinite(point.loss_nats)}
    rows = {point.source for point in points if math.isfinite(point.loss_nats)}
    kept = tuple(
        point
        for at, point in enumerate(points)
        if not (math.isnan(point.loss_nats) and point.source in rows and at < last.get(point.split, -1))
    )
    if len(kept) < len(points):
        log.note(f"NaN beside another loss, with losses after it: {len(points) - len(kept):,} taken as no value")
    return kept
