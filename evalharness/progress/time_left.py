"""When long work will be over, by the time that its finished pieces took."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE_S = 0.1
"""What is over by then had nothing to do, and tells nothing of the other pieces."""
ENOUGH_SHARE, ENOUGH = 1 / 50, 20
"""From this share of the pieces on, or from so many of them, what they took tells of the others."""

MOST_ENDS = 1000
"""Of millions of pieces no more ends are kept: every other one goes."""


@dataclass(slots=True)
class TimeLeft:
    """The pieces of some work: how many there are, how many are done, and since when."""

    clock: Callable[[], float] = time.monotonic
    total: int = 0
    done: int = 0
    _begun: float = field(init=False)
    _ends: list[tuple[int, float]] = field(init=False)
    """How many pieces were done when; the first entry is from when the work proper began."""

    def __post_init__(self) -> None:
        self.begin(self.total)

    def begin(self, total: int) -> None:
        """The work begins anew with so many pieces."""
        self.total, self.done = total, 0
        self._begun = self.clock()
        self._ends = [(0, self._begun)]

    def finish(self, done: int) -> None:
        """So many pieces are done by now; where there are more than were expected, that many are expected."""
        self.done, self.total = done, max(self.total, done)
        now = self.clock()
        if now - self._begun < AT_ONCE_S:
            self._ends = [(done, self._begun)]
        else:
            self._ends.append((done, now))
            if len(self._ends) > MOST_ENDS:
                self._ends = [self._ends[0], *self._ends[2::2]]

    def reach(self, number: int, total: int) -> None:
        """The ``number``-th of so many pieces begins; with the first one the work does."""
        if number == 1:
            self.begin(total)
        else:
            self.finish(number - 1)

    @property
    def taken_s(self) -> float:
        """Seconds since the work began."""
        return self.clock() - self._begun

    @property
    def per_s(self) -> float:
        """Pieces per second over the later half of those that are done; 0 until enough are to tell.

        The first ones mislead: they hold what is done once, and of a batch the first to end says little of the rest.
        """
        (begun_with, _), (done, last) = self._ends[0], self._ends[-1]
        if done - begun_with < max(1, min(ENOUGH, math.ceil(self.total * ENOUGH_SHARE))):
            return 0.0
        later = self._ends[(len(self._ends) - 1) // 2]
        before, since = later if later[1] < last else self._ends[0]
        return (done - before) / (last - since)

    @property
    def left_s(self) -> float | None:
        """Seconds that are left if the other pieces take as long; None until enough are done."""
        if not self.per_s:
            return None
        pieces_s = (self.total - self.done) / self.per_s
        return max(0.0, pieces_s - min(self.clock() - self._ends[-1][1], 1 / self.per_s))


def rate(per_s: float) -> str:
    """How many pieces are done in a second, or in a minute if they are slow."""
    return f"{per_s:.0f} per s" if per_s >= 2 else f"{60 * per_s:.0f} per min"


def duration(seconds: float) -> str:
    """Return a time in the unit that fits: ``"45 s"``, ``"12 min"``, ``"3.5 h"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
