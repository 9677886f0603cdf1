"""How far logged validation losses scatter about their own curve: much, if each evaluation takes other rows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalharness.records import LossPoint

FEWEST_POINTS = 5
"""Fewer losses have fewer than three between two others, which tells nothing of their scatter."""


def log_noise_nats(log: Iterable[LossPoint]) -> float:
    """The standard deviation (nats) of the logged validation losses about a smooth curve; 0 where too few tell it.

    A loss that falls, ever more slowly, lies below the line between its neighbours. Those that lie above it measure the
    scatter: half of all do if there is nothing but scatter. Of the second half of the log, where little is learnt.
    """
    by_step = {point.step: point.loss_nats for point in log if point.split == "validation"}
    points = sorted(by_step.items())
    if len(points) < FEWEST_POINTS:
        return 0.0
    late = points[min(len(points) // 2, len(points) - FEWEST_POINTS) :]
    above = [max(0.0, residual) for residual in _residuals(late)]
    return float(np.sqrt(2 * np.mean(np.square(above))))


def _residuals(points: Sequence[tuple[int, float]]) -> list[float]:
    """How far each loss is above the line between its neighbours, in units of the scatter of a single one."""
    found = []
    for ((before, first), (here, loss)), ((_, _), (after, last)) in pairwise(pairwise(points)):
        share = (here - before) / (after - before)
        scale = np.sqrt(1 + share**2 + (1 - share) ** 2)
        found.append(float((loss - (1 - share) * first - share * last) / scale))
    return found
