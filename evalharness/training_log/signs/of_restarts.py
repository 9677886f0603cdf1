"""What the steps that a restart repeats say of it: the same losses, lower ones, or higher ones."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from evalharness.records import Finding, NotTestable, Outcome, RuledOut
from evalharness.statistics.plurals import counted
from evalharness.training_log.signs.loss_words import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.records import LossPoint

NAME = "repeats_after_restart"
FEWEST = 5
"""Repeated steps that tell a difference from noise."""
LEAST_NATS, ERRORS = 0.02, 3
"""A difference counts from 0.02 nats and three standard errors on."""


def repeats_after_restart(logs: Sequence[Sequence[LossPoint]]) -> Outcome:
    """Compare the training losses of steps that were run again after a restart with those from before it."""
    restarts, pairs = _repeated([point for log in logs for point in log if point.split == "train"])
    evidence: dict[str, float] = {"restarts": restarts, "repeated_steps": len(pairs)}
    if not restarts:
        return RuledOut(NAME, "The steps never go back: there is no restart.", evidence)
    if len(pairs) < FEWEST:
        return NotTestable(
            NAME,
            "too_few",
            f"{counted(len(pairs), 'step was', 'steps were')} run again after a restart: too few to compare",
        )
    changes = [again - before for before, again in pairs]
    mean, error = statistics.mean(changes), statistics.stdev(changes) / math.sqrt(len(changes))
    evidence |= {"change_nats": mean, "standard_error_nats": error, "equal": sum(change == 0 for change in changes)}
    difference = f"{shown(mean, '+')} ± {shown(error)} nats"
    said = f"{len(pairs)} steps were run again after a restart, their losses differ by {difference}"
    if abs(mean) <= max(LEAST_NATS, ERRORS * error):
        return RuledOut(NAME, f"The restart went on as before: {said}.", evidence)
    if mean < 0:
        remedy = "Lower losses at the same steps: the rows were seen before. Restore the position in the data as well."
    else:
        remedy = "Higher losses at the same steps: restore the optimiser's state and the learning rate as well."
    return Finding(NAME, "contributing", f"The restart did not go on as before: {said}.", evidence, remedy)


def _repeated(points: Sequence[LossPoint]) -> tuple[int, list[tuple[float, float]]]:
    """How often the steps go back, and the losses of each step that was run again: before, and after."""
    restarts, before, last = 0, dict[int, float](), -math.inf
    known: dict[int, float] = {}
    pairs = []
    for point in points:
        if point.step < last:
            restarts += 1
            known = dict(before)
        last = point.step
        if point.step in known and math.isfinite(point.loss_nats) and math.isfinite(known[point.step]):
            pairs.append((known.pop(point.step), point.loss_nats))
        before[point.step] = point.loss_nats
    return restarts, pairs
