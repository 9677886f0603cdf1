"""Lines as a loop prints them: ``Step   50/20000 | Loss: 0.4205 | …``, ``[EVAL] Step 2000 | Val Loss: 0.2224``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from evalharness.errors import LogError
from evalharness.records import LogPoint, LossPoint, Split
from evalharness.training_log.columns import entropy_point, entropy_rank, is_entropy, seconds
from evalharness.training_log.open_log import TORN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.training_log.open_log import OpenLog

FORM = "lines of a training loop"
PRIORITY = 90
# All are sought in lower case, and the loss by the word itself: a pattern that ignores case, or begins with what may
# stand before that word, is tried at every character and takes seconds in a million lines.
STEP = re.compile(
    r"\b(?:global[ _])?(?:step|iter(?:ation)?)\b['\"]?\s*[:=]?\s*\[?(\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\s*/\s*(\d+))?"
)
"""The step, and of how many."""
EPOCH = re.compile(r"\bepoch\b['\"]?\s*[:=]?\s*['\"\[]?(\d+(?:\.\d+)?)")
TIME = re.compile(r"\W*(\d{4}-\d\d-\d\d[ t]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:z|[+-]\d\d:?\d\d)?)")
LOSS = re.compile(
    r"loss\b['\"]?\s*[:=]?\s*['\"]?([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?inf(?:inity)?|nan)\b(?![.\d])"
)
ENTROPY = re.compile(
    r"(?<!cross[ -])\b([\w/]*entropy\w*)['\"]?\s*[:=]\s*['\"]?([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(?=[^\w.])"
)
REWARD = re.compile(r"['\"]rewards?[/'\"]")
"""A key of TRL's rows: the loss beside it is that of a policy or of preferences."""
JOINTS = "_/.-"
LONGEST_BEFORE = len("best validation loss")
SPLITS: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "eval", "evaluation", "dev"), "validation"),
}
EVALUATION = re.compile(r"\b(?:eval(?:uation|uating)?|validation|validating|test(?:ing)?)\b[\w ]*(?::|\.\.\.|…)\s*$")
"""A heading over lines that name neither step nor split: their losses are not of training."""
MEAN_OF_RUN = "train_runtime"
"""On the line of this word a Hugging Face trainer prints the mean of the run, which is no point."""
RUN_TIME = re.compile(r"'train_runtime': '?([\d.]+).*'train_steps_per_second': '?([\d.]+)")
BAR = re.compile(r"(\d+)/(\d+) \[")
"""A progress bar of tqdm: the steps that are done, and all."""


def recognises(_head: Sequence[str]) -> bool:
    """Whatever else a file is, it may have such lines."""
    return True


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses, and the entropy; a line without a step has that of the line before, or 0 where none came yet.

    A validation loss before the first training loss, at a later step than that, is no loss of this run: the log tells
    of the model that training starts from ("loaded from step 50000"). It goes to ``log.base_losses``. Raises
    :class:`LogError` where there are several losses and never a step.
    """
    before: list[LossPoint] = []
    points = _points(log)
    for point in points:
        if isinstance(point, LossPoint) and point.split == "validation":
            before.append(point)
            continue
        if isinstance(point, LossPoint):
            log.base_losses.extend(early for early in before if early.step > point.step)
            yield from (early for early in before if early.step <= point.step)
            before = []
            yield point
            break
        yield point
    yield from before
    yield from points


def _points(log: OpenLog) -> Iterator[LogPoint]:
    """Every loss and entropy, in the order of the lines."""
    step: int | None = None
    evaluated: int | None = None
    unplaced: list[LogPoint] = []
    counted, pace = _Counted(log), _Pace()
    heading = ""
    for at, line in enumerate(map(str.lower, log.lines()), 1):
        if found := STEP.search(line):
            heading = ""
            step = counted.on(int(found[1].replace(",", "")), found[2], _epoch(line))
        elif EVALUATION.search(line):
            heading = line.strip()
        if step is None:
            pace.see(line)
        if "loss" not in line and "entropy" not in line:
            continue
        logged = list(_logged(line, step or 0, f"{log.name}:{at}", log))
        splits = [point.split for point in logged if isinstance(point, LossPoint)]
        if heading and splits == ["train"]:
            log.notes.append(f"line {at}: a loss under {heading!r} is of no training step: left out")
            continue
        if len(splits) > 1:
            evaluated = step
        elif found and splits == ["train"] and step == evaluated:
            # An evaluation of both splits, as nanoGPT's, is over many batches; this line is of one of that step.
            continue
        if step is None:
            unplaced += logged
        else:
            yield from (*unplaced, *logged)
            unplaced = []
    yield from _placed(unplaced, pace, log)


def _placed(points: list[LogPoint], pace: _Pace, log: OpenLog) -> list[LogPoint]:
    """The points of a log in which no line names a step, at those of their epochs; a single one of a split stays at 0.

    Raises :class:`LogError` where there are several and the log does not tell how many steps an epoch has.
    """
    if points and pace.per_epoch and all(point.epoch is not None for point in points):
        log.notes.append(f"no line names a step: taken from the epochs, {pace.per_epoch:g} steps each, {pace.source}")
        return [replace(point, step=round(pace.per_epoch * (point.epoch or 0))) for point in points]
    if len({point.split for point in points}) < len(points):
        raise LogError(f"{log.path}: {len(points)} losses, and no line names a step{_elsewhere(log)}")
    return points


def _elsewhere(log: OpenLog) -> str:
    """Where a Hugging Face trainer keeps the steps that its console leaves out."""
    folder = log.path.parent
    states = [folder / "trainer_state.json", *sorted(folder.glob("checkpoint-*/trainer_state.json"))]
    found = next((state for state in reversed(states) if state.is_file()), None)
    return f"; {found} does: name it under [log] path" if found else ""


@dataclass(slots=True)
class _Pace:
    """How many steps an epoch has, by what a Hugging Face console prints beside losses that name no step."""

    per_epoch: float = 0.0
    source: str = ""
    _epoch: float | None = None

    def see(self, line: str) -> None:
        """Look at a line: progress bars say how many steps are done, the last line how many there were in all."""
        self._epoch = _epoch(line) or self._epoch
        if (ran := RUN_TIME.search(line)) and self._epoch:
            self.per_epoch, self.source = round(float(ran[1]) * float(ran[2])) / self._epoch, "by the run's time"
        elif self._epoch and (bars := BAR.findall(line)) and int(bars[-1][0]) and not self.source.endswith("time"):
            self.per_epoch, self.source = int(bars[-1][0]) / self._epoch, "by the progress bar"


@dataclass(slots=True)
class _Counted:
    """Counts steps on where they start again in every epoch: the step falls as the epoch grows."""

    log: OpenLog
    before: int = 0
    last: int = -1
    epoch: float | None = None

    def on(self, step: int, of: str | None, epoch: float | None) -> int:
        """The step from the beginning of training. ``of``: how many there are, of an epoch where it falls."""
        if step < self.last and epoch is not None and self.epoch is not None and int(epoch) > int(self.epoch):
            if not self.before:
                self.log.notes.append("its steps start again in every epoch: they are counted on")
            self.before += int(of) if of else self.last + 1
        self.last, self.epoch = step, epoch if epoch is not None else self.epoch
        return self.before + step


def _logged(line: str, step: int, source: str, log: OpenLog) -> Iterator[LogPoint]:
    """What one line says."""
    epoch, time = _epoch(line), _time(line)
    if "entropy" in line and (entropy := _entropy(line)) is not None:
        yield entropy_point(step, entropy, source, epoch, time)
    if not REWARD.search(line):
        for split, loss in _losses(line, log):
            yield LossPoint(step, split, loss, source, epoch, time)


def _epoch(line: str) -> float | None:
    found = EPOCH.search(line) if "epoch" in line else None
    return float(found[1]) if found else None


def _time(line: str) -> float | None:
    found = TIME.match(line)
    return seconds(found[1].upper()) if found else None


def _entropy(line: str) -> float | None:
    """The most telling entropy of a line."""
    found = {name: float(value) for name, value in ENTROPY.findall(line) if is_entropy(name)}
    return found[min(found, key=entropy_rank)] if found else None


def _losses(line: str, log: OpenLog) -> Iterator[tuple[Split, float]]:
    for found in LOSS.finditer(line):
        start, end = found.span()
        # What stands before the last bar differs from line to line, what stands after it does not.
        split = _split(line[line.rfind("|", 0, start) + 1 : start][-LONGEST_BEFORE:])
        if split is None or MEAN_OF_RUN in line:
            continue
        if end == len(line):
            log.notes.append(TORN)
        else:
            yield split, float(found[1])


@lru_cache(maxsize=1_000)
def _split(before: str) -> Split | None:
    """The split that the words before ``loss`` name; None where it is another loss, such as ``aux_loss``.

    A loss that is called the best so far is one that was logged before.
    """
    joint = before[-1:]
    if joint.isalnum():
        return None
    words = re.findall(r"[a-z]+", before)
    last = words[-1] if words else ""
    if "best" in words[-2:]:
        return None
    return SPLITS.get(last) or (None if joint in JOINTS and joint else "train")
