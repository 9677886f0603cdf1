"""Which step a printed line is of, where it says it by an epoch, a progress bar, or by numbers that start again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING

from evalharness.training_log.columns import THOUSANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.training_log.open_log import OpenLog

EPOCH = re.compile(r"\bep(?:och)?\b['\"]?\s*[:=]?\s*['\"\[]?(\d+(?:\.\d+)?)")
RUN_TIME = re.compile(r"'train_runtime': '?([\d.]+).*'train_steps_per_second': '?([\d.]+)")
COUNT = r"\d{1,3}(?:[,_']\d{3})+(?!\d)|\d+(?:\.\d+)?[km]\b|\d+(?:\.0+)?(?![a-z\d_]|\.\d)"
"""A number of steps in lower case: ``1,000``, ``1_000``, ``1.5k``, ``100``, ``100.0``; no ``12ms``."""
_TIMES = {letter.lower(): times for letter, times in THOUSANDS.items()}
MOST_OFF = 0.02
"""Epochs are rounded to two digits; what is further off is not the step of the rows beside it."""
BAR = re.compile(r"(\d+)/(\d+) \[")
"""A progress bar of tqdm: the steps that are done, and all."""


def epoch_in(line: str) -> float | None:
    """The epoch that a line in lower case names."""
    match = EPOCH.search(line) if "ep" in line else None
    return float(match[1]) if match else None


def count_of(text: str) -> int:
    """The number that ``COUNT`` finds."""
    if text.isdigit():
        return int(text)
    digits = re.sub(r"[,_']", "", text)
    return round(float(digits.rstrip("km")) * _TIMES.get(digits[-1], 1))


@dataclass(slots=True)
class Pace:
    """How many steps an epoch has, by what a Hugging Face console prints beside losses that name no step.

    A row stands below the progress bar of its step or above it: ``before`` and ``after`` have each row's epoch with the
    steps that these bars count. Those of the right side grow as the epoch does.
    """

    by_time: float = 0.0
    before: list[tuple[int, float]] = field(default_factory=list)
    after: list[tuple[int, float]] = field(default_factory=list)
    _epoch: float | None = None
    _done: int = 0
    _awaits_bar: bool = False

    @property
    def per_epoch(self) -> float:
        """Steps of an epoch; 0 if nothing tells."""
        paces = [_per_epoch(pairs) for pairs in (self.after, self.before) if pairs]
        off, pace = min(paces, key=itemgetter(0), default=(0.0, 0.0))
        return self.by_time or (pace if off < MOST_OFF else 0.0)

    @property
    def source(self) -> str:
        """What tells it, for a note."""
        return "by the run's time" if self.by_time else "by the progress bar"

    def see(self, line: str) -> None:
        """Look at a line: progress bars say how many steps are done, the last line how many there were in all."""
        bar, brace, row = line.partition("{")
        epoch = epoch_in(row) if brace else None
        if (ran := RUN_TIME.search(line)) and (epoch or self._epoch):
            self.by_time = round(float(ran[1]) * float(ran[2])) / (epoch or self._epoch or 1)
        if epoch_in(bar) is None and (bars := BAR.findall(bar)):  # a bar with an epoch is of this epoch alone
            self._see_bar(int(bars[-1][0]))
        if epoch:
            self._epoch, self._awaits_bar = epoch, True
            self.before += [(self._done, epoch)] * bool(self._done)

    def _see_bar(self, done: int) -> None:
        if self._awaits_bar and self._epoch and done:
            self.after.append((done, self._epoch))
        self._done, self._awaits_bar = done, False


def _per_epoch(pairs: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """By how much of all steps they are off a straight line through 0, and its slope."""
    steps, epoch = pairs[-1]
    slope = steps / epoch
    return sum(abs(done - slope * at) for done, at in pairs) / steps / len(pairs), slope


@dataclass(slots=True)
class StepCounter:
    """Counts steps on where they start again in every epoch: the step falls as the epoch grows."""

    log: OpenLog
    before: int = 0
    last: int = -1
    epoch: float | None = None
    heading: float | None = None

    def begin(self, epoch: float | None) -> None:
        """Keep the epoch of a line without a step: the steps below it may start again."""
        self.heading = epoch if epoch is not None else self.heading

    def on(self, step: int, total: int | None, epoch: float | None) -> int:
        """The step from the beginning of training.

        ``total`` is the number of steps that the line names: of one epoch if the steps start again in every epoch.
        """
        if epoch is None is self.heading:
            self.last = step
            return self.before + step  # no epoch was named: nothing starts again
        self.begin(epoch)
        epoch = self.heading
        begun = 0 if epoch is None or self.epoch is None else int(epoch) - int(self.epoch)
        if begun > 0 and (step < self.last or step == self.last == total):
            if not self.before:
                self.log.notes.append("its steps start again in every epoch: they are counted on")
            self.before += begun * total if total else self.last + 1
        self.last, self.epoch = step, epoch
        return self.before + step
