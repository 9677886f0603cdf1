"""The learning rates of a run in one sentence: the first, the highest, the last, and from where on there was none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.records import LearningRate

NOTHING = 1e-3
"""A rate below a thousandth of the highest trains nothing."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What logged learning rates say.

    ``zero_from`` is the first step from which on all are next to 0; None if only the last one is, or none.
    """

    first: LearningRate
    peak: LearningRate
    last: LearningRate
    zero_from: int | None

    @property
    def words(self) -> str:
        """One sentence."""
        if not self.peak.rate:
            return (
                f"The learning rate was 0 wherever it was logged, from step {self.first.step:,} to {self.last.step:,}."
            )
        said = (
            f"The learning rate was {self.first.rate:.3g} at step {self.first.step:,}, {self.peak.rate:.3g} at most "
            f"(step {self.peak.step:,}) and {self.last.rate:.3g} at step {self.last.step:,}"
        )
        return said + (f"; it was 0 from step {self.zero_from:,} on." if self.zero_from is not None else ".")


def schedule(rates: Sequence[LearningRate]) -> Schedule | None:
    """The schedule that the rates, in the order of their steps, are of; None without any."""
    if not rates:
        return None
    peak = max(rates, key=lambda point: point.rate)
    trained = [place for place, point in enumerate(rates) if point.rate > NOTHING * peak.rate]
    idle = rates[trained[-1] + 1 if trained else 0 :]
    return Schedule(rates[0], peak, rates[-1], idle[0].step if len(idle) > 1 else None)
