"""What a repair that brings the log back is compared with: changes at random, and how many losses some repair gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from evalharness.diagnosis.losses.counted_losses import lowered_by
from evalharness.diagnosis.losses.recomputed_loss import FIGURES
from evalharness.diagnosis.trials.random_change import random_change

if TYPE_CHECKING:
    from evalharness.diagnosis.losses.counted_losses import Counting
    from evalharness.diagnosis.repair import Repair
    from evalharness.diagnosis.trials.repair_search import RepairSearch

NULLS = 3
"""Random changes of the same size that a repair is compared with."""
CLEARLY = 2.0
"""A log within twice the error of the loss as loaded needs no repair."""


def random_lowering(search: RepairSearch, repair: Repair, counting: Counting) -> float | None:
    """By how much the best of some random changes of the repair's size lowers the loss; None if it has no size."""
    rows, lowered = search.rows[1::2], []
    for seed in range(NULLS):
        null = repair.null(seed) if repair.null else _changed_at_random(search, repair, seed)
        if null is None:
            return None
        gains = lowered_by(search.as_loaded.rows[1::2], search.measured_under(null, rows).rows, counting)
        lowered.append(sum(gains) / len(gains))
    return max(lowered)


def chance_of_a_repair(search: RepairSearch) -> float:
    """The share of the losses between half of that as loaded and twice that which some repair tried would give.

    In equal ratios, and without those that the checkpoint gives as loaded. For what only sets a number there is no
    change at random of the same size: that one of many numbers fits is worth little if nearly any loss would be fitted.
    """
    own = search.as_loaded.figures[search.as_loaded.nearest(search.logged_nats)]
    error = search.error_nats(own)
    given = np.array([own.estimate - gain for gain, repair in search.ranked if gain > 0 or not repair.lowers])
    logged = own.estimate * np.geomspace(0.5, 2.0, FIGURES)
    logged = logged[np.abs(logged - own.estimate) > CLEARLY * error]
    if not len(given) or not len(logged):
        return 0.0
    return float(np.mean(np.abs(logged[:, None] - given).min(axis=1) <= error))


def _changed_at_random(search: RepairSearch, repair: Repair, seed: int) -> Repair | None:
    change = random_change(search.subject.torch_model.module, repair, seed)
    return None if change is None else replace(repair, begin_ids=None, change=lambda _module: change)
