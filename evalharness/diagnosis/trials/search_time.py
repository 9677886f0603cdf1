"""The time that a search has, and what it leaves out when that is over."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class SearchTime:
    """``seconds`` from :meth:`begin` on; ``left_out`` counts by kind what no time was left for.

    They are seconds of a core for the thread that searches, which takes part in every pass: those of the clock where
    nothing else runs, and what is tried does not hang on how busy the machine is.
    """

    seconds: float = math.inf
    clock: Callable[[], float] = time.thread_time
    left_out: Counter[str] = field(default_factory=Counter)
    _begun: float = field(default=0.0, init=False)

    @property
    def is_bounded(self) -> bool:
        """Whether there is a bound at all."""
        return self.seconds < math.inf

    def begin(self) -> None:
        """Count the seconds from now on."""
        self._begun = self.clock()

    def is_over_for(self, kind: str, share: float = 1.0) -> bool:
        """Whether a share of the time has passed; one more of its kind is then left out."""
        is_over = self.clock() - self._begun >= share * self.seconds
        if is_over:
            self.left_out[kind] += 1
        return is_over
