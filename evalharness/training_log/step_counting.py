"""Which step a printed line is of, where it says it by an epoch, a progress bar, or by numbers that start again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalharness.training_log.open_log import OpenLog

EPOCH = re.compile(r"\bepoch\b['\"]?\s*[:=]?\s*['\"\[]?(\d+(?:\.\d+)?)")
RUN_TIME = re.compile(r"'train_runtime': '?([\d.]+).*'train_steps_per_second': '?([\d.]+)")
COUNT = r"\d{1,3}(?:[,_']\d{3})+(?!\d)|\d+(?:\.\d+)?[km]\b|\d+(?:\.0+)?(?![a-z\d_]|\.\d)"
"""A number of steps in lower case: ``1,000``, ``1_000``, ``1.5k``, ``100``, ``100.0``; no ``12ms``."""
THOUSANDS = {"k": 1_000, "m": 1_000_000}
BAR = re.compile(r"(\d+)/(\d+) \[")
"""A progress bar of tqdm: the steps that are done, and all."""


def epoch_in(line: str) -> float | None:
    """The epoch that a line in lower case names."""
    match = EPOCH.search(line) if "epoch" in line else None
    return float(match[1]) if match else None


def count_of(text: str) -> int:
    """The number that ``COUNT`` finds."""
    if text.isdigit():
        return int(text)
    digits = re.sub(r"[,_']", "", text)
    return round(float(digits.rstrip("km")) * THOUSANDS.get(digits[-1], 1))


@dataclass(slots=True)
class Pace:
    """How many steps an epoch has, by what a Hugging Face console prints beside losses that name no step."""

    per_epoch: float = 0.0
    source: str = ""
    _epoch: float | None = None

    def see(self, line: str) -> None:
        """Look at a line: progress bars say how many steps are done, the last line how many there were in all."""
        epoch = epoch_in(line)
        self._epoch = epoch or self._epoch
        if (ran := RUN_TIME.search(line)) and self._epoch:
            self.per_epoch, self.source = round(float(ran[1]) * float(ran[2])) / self._epoch, "by the run's time"
        elif epoch is not None and not line.startswith("{"):
            return  # the bar is of this epoch alone
        elif self._epoch and (bars := BAR.findall(line)) and int(bars[-1][0]) and not self.source.endswith("time"):
            self.per_epoch, self.source = int(bars[-1][0]) / self._epoch, "by the progress bar"


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
        self.begin(epoch)
        epoch = self.heading
        begun = 0 if epoch is None or self.epoch is None else int(epoch) - int(self.epoch)
        if begun > 0 and (step < self.last or step == self.last == total):
            if not self.before:
                self.log.notes.append("its steps start again in every epoch: they are counted on")
            self.before += begun * total if total else self.last + 1
        self.last, self.epoch = step, epoch
        return self.before + step
