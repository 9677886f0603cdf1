"""Figures that are no loss per token in nats, whatever they are called: sums over many tokens, and what is below 0."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from evalharness.training_log.columns import LOSSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.records import LossPoint, Split
    from evalharness.training_log.open_log import OpenLog

MOST_NATS = 50.0
"""A model without training is at the logarithm of its vocabulary, 12 for 160,000 tokens: no log stays above this."""


def plausible(points: Sequence[LossPoint], log: OpenLog) -> Sequence[LossPoint]:
    """The losses without those of a split that is always below 0: a note says so, and also where all are above 50 nats.

    Below 0 is what the user named a logarithm of probabilities: it gets the sign of a loss. What may be a sum is kept:
    a score compares it with the loss that it measures.
    """
    for split in LOSSES:
        if not any(point.split == split and _may_be_a_loss(point.loss_nats) for point in points):
            points = _judged(points, split, log)
    return points


def _may_be_a_loss(nats: float) -> bool:
    return 0 <= nats <= MOST_NATS or not math.isfinite(nats)


def _judged(points: Sequence[LossPoint], split: Split, log: OpenLog) -> Sequence[LossPoint]:
    """The points where none of a split may be a loss per token."""
    nats = [point.loss_nats for point in points if point.split == split]
    if not nats:
        return points
    figures = f"{split}: figures from {min(nats):,.4g} to {max(nats):,.4g}"
    if max(nats) > 0:
        log.note(f"{figures} are no nats per token, but sums: [log] {split} names another column if there is one")
        return points
    if getattr(log.keys, split) is None:
        log.note(f"{figures} are no losses: left out; name them under [log] {split} if they are log-probabilities")
        return [point for point in points if point.split != split]
    log.note(f"{figures} are read as log-probabilities, with the sign turned")
    return [replace(point, loss_nats=-point.loss_nats) if point.split == split else point for point in points]
