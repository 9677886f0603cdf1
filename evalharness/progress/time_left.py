"""When long work will be over, by the time that its finished pieces took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE_S = 0.1


@dataclass(slots=True)
class TimeLeft:
    """The pieces of some work: how many there are, how many are done, and since when."""

    clock: Callable[[], float] = time.monotonic
    total: int = 0
    done: int = 0
    _begun: float = field(init=False)
    _last_done: float = field(init=False)

    def __post_init__(self) -> None:
        self.begin(self.total)

    def begin(self, total: int) -> None:
        """The work begins anew with so many pieces."""
        self.total, self.done = total, 0
        self._begun = self._last_done = self.clock()

    def finish(self, done: int) -> None:
        """So many pieces are done by now; where there are more than were expected, that many are expected."""
        self.done, self.total = done, max(self.total, done)
        self._last_done = self.clock()

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
        """Pieces per second until the last one that is done; 0 until one is that took time.

        Pieces that were over at once, for there was nothing to do, tell nothing of the others.
        """
        finished_s = self._last_done - self._begun
        return self.done / finished_s if self.done and finished_s >= AT_ONCE_S else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds that are left if the other pieces take as long; None until one is done."""
        if not self.per_s:
            return None
        pieces_s = (self.total - self.done) / self.per_s
        return max(0.0, pieces_s - min(self.clock() - self._last_done, 1 / self.per_s))


def rate(per_s: float) -> str:
    """How many pieces are done in a second, or in a minute if they are slow."""
    return f"{per_s:.0f} per s" if per_s >= 2 else f"{60 * per_s:.0f} per min"


def duration(seconds: float) -> str:
    """Return a time in the unit that fits: ``"45 s"``, ``"12 min"``, ``"3.5 h"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
