"""How long a command may take: ``--within``. Who runs a model asks whether there is time for one more pass."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FOR_MODELS = 0.9
"""The share of the time in which models may run; in the rest the report is written."""


class OutOfTime(BaseException):
    """The time is over.

    Not an ``Exception``, for probes, repairs and passes catch what the code of a model raises, and go on.
    """


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """``seconds`` from ``begun`` on; ``words`` is the limit as it was given, such as ``5m``."""

    words: str
    seconds: float
    begun: float
    clock: Callable[[], float] = time.monotonic

    @property
    def left_s(self) -> float:
        """Seconds for which models may still run."""
        return self.begun + FOR_MODELS * self.seconds - self.clock()

    @property
    def is_over(self) -> bool:
        """Whether no model may run any more."""
        return self.left_s <= 0

    @property
    def reason(self) -> str:
        """Why something was not done."""
        return f"no time left (--within {self.words})"

    def share_s(self, share: float) -> float:
        """Seconds of a share of the whole time, or those that are left if they are fewer."""
        return max(0.0, min(share * self.seconds, self.left_s))

    @property
    def exceeded_s(self) -> float:
        """Seconds by which the whole time is exceeded by now; 0 if it is not."""
        return max(0.0, self.clock() - self.begun - self.seconds)

    def part(self, seconds: float) -> TimeLimit:
        """A limit for the next ``seconds``, or for those that are left if they are fewer."""
        return TimeLimit(self.words, max(0.0, min(seconds, self.left_s)) / FOR_MODELS, self.clock(), self.clock)

    def check(self) -> None:
        """Raise :class:`OutOfTime` once the time is over."""
        if self.is_over:
            raise OutOfTime(self.reason)
