"""Lines as a loop prints them: ``Step   50/20000 | Loss: 0.4205 | …``, ``[EVAL] Step 2000 | Val Loss: 0.2224``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from evalharness.records import LogPoint, LossPoint, Split
from evalharness.training_log.columns import entropy_point, entropy_rank, is_entropy, seconds
from evalharness.training_log.figure_names import in_nats, loss_name, unit_of, words_of
from evalharness.training_log.open_log import TORN, UnplacedError, bits_per_byte

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
    r"loss\b(?: value)?['\"]?\s*[:=]?\s*['\"]?"
    r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?inf(?:inity)?|nan)\b(?![.\d]|,\d)"
)
ENTROPY = re.compile(
    r"(?<!cross[ -])\b([\w/]*entropy\w*)['\"]?\s*[:=]\s*['\"]?([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(?=[^\w.])"
)
REWARD = re.compile(r"['\"](?:train[/_]|eval[/_])?(?:(?:min|max|mean)_)?(?:rewards?|logps)[/_'\"]")
"""A key of TRL's rows: the loss beside it is that of a policy or of preferences."""
LOADED = re.compile(r"\b(?:load|resum|restor)")
"""A checkpoint is loaded, of this run or of another."""
OTHER_UNIT = re.compile(r"\b(ppl|perplexity|bpb)\b['\"]?\s*[:=]?\s*['\"]?(\d+\.?\d*(?:e[-+]?\d+)?)(?=[^\w.])")
OF_LINE = re.compile(r"(?:^|\||\[)\W*(val|valid|validation|eval|evaluation)\b(?! (?:step|every))")
"""A cell that begins with the split of the line: ``[EVAL] Step 2000 | Loss``, ``validation loss at iteration 2 |``."""
KINDS = re.compile(r"(?:cross[ _-]?entropy|\bce|\blm|\bnll)[ _/.-]?$")
"""What a loss is called as well: ``train/CrossEntropyLoss``, ``val lm loss``."""
JOINTS = "_/.-"
NAME = re.compile(r"[a-z][\w/. -]*$")
LONGEST_BEFORE = len("best validation loss")
SPLITS: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "eval", "evaluation", "dev"), "validation"),
}
OTHER_LOSSES = frozenset(
    (
        *("aux", "auxiliary", "kl", "policy", "value", "actor", "critic", "reward", "dpo", "pg", "vf", "balance"),
        *("balancing", "router", "z", "mtp", "distill", "distillation", "contrastive", "mse", "l", "reg"),
    )
)
"""Words before "loss" that make it another one."""
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
    """Yield the losses, and the entropy; a line without a step has that of the line before.

    A validation loss before the first training loss, or below a line that tells of a checkpoint that was loaded, is no
    loss of this run if training goes on at an earlier step: it is that of the model that training starts from ("loaded
    from step 50000"). It goes to ``log.base_losses``. Raises :class:`UnplacedError` where no line names a step.
    """
    pending: list[LossPoint] | None = []
    last = -1
    for point in _points(log):
        if point is None:
            yield from pending or ()
            pending = []
        elif pending is None or not isinstance(point, LossPoint):
            yield point
        elif point.split == "validation":
            pending.append(point)
        else:
            yield from _of_this_run(pending, point.step, log)
            yield point
            pending = None
        if isinstance(point, LossPoint) and point.split == "train":
            last = point.step
    yield from pending or () if last < 0 else _of_this_run(pending or (), last, log)


def _of_this_run(pending: Iterable[LossPoint], step: int, log: OpenLog) -> list[LossPoint]:
    """The validation losses up to the step at which training goes on; the log keeps the others as its base's."""
    log.base_losses.extend(early for early in pending if early.step > step)
    return [early for early in pending if early.step <= step]


def _points(log: OpenLog) -> Iterator[LogPoint | None]:
    """Every loss and entropy, in the order of the lines; None for a line that tells of a checkpoint that was loaded."""
    evaluated: int | None = None
    unplaced: list[LogPoint] = []
    named = set[Split]()
    place, pace, converted = _Place(log, StepCounter(log)), _Pace(), _Converted(log)
    for at, line in enumerate(map(str.lower, log.lines()), 1):
        if place.move(line):
            yield None
        if place.step is None:
            pace.see(line)
        elif "ppl" in line or "perplexity" in line or "bpb" in line:
            converted.see(line, place.step, at)
        if "loss" not in line and "entropy" not in line:
            continue
        logged = list(_logged(line, place.step or 0, f"{log.name}:{at}", log, named))
        splits = [point.split for point in logged if isinstance(point, LossPoint)]
        if place.heading and splits == ["train"]:
            log.notes.append(f"line {at}: a loss under {place.heading!r} is of no training step: left out")
        elif place.step is None:
            unplaced += logged
        # An evaluation of both splits, as nanoGPT's, is over many batches; a line after it is of one of that step.
        elif not (place.is_named and splits == ["train"] and place.step == evaluated):
            evaluated = place.step if len(splits) > 1 else evaluated
            yield from logged
    if place.step is None:
        yield from _placed(unplaced, pace, log)
    else:
        _keep_early(unplaced, log)
        yield from converted.missing()


@dataclass(slots=True)
class _Place:
    """Where in training a line stands: its step, and the heading of an evaluation above it."""

    log: OpenLog
    counted: StepCounter
    step: int | None = None
    heading: str = ""
    is_named: bool = False
    """Whether the line itself names the step."""

    def move(self, line: str) -> bool:
        """Go on to a line; true where it tells of a checkpoint that was loaded."""
        match = STEP.search(line)
        self.is_named = match is not None
        if match is None:
            if EVALUATION.search(line):
                self.heading = line.strip()
            return False
        if self.step is None:
            self.log.understood["step", match[0].rstrip("0123456789/, \t:=['\"") or "step"] = "name"
        self.heading = ""
        self.step = self.counted.on(int(match[1].replace(",", "")), match[2], _epoch(line))
        return "loss" not in line and LOADED.search(line) is not None


def _keep_early(points: Sequence[LogPoint], log: OpenLog) -> None:
    """Keep a validation loss from before the first step as that of the model that training starts from.

    Other losses without a step are left out: none is invented.
    """
    losses = [point for point in points if isinstance(point, LossPoint)]
    if [point.split for point in losses] == ["validation"]:
        log.base_losses.extend(losses)
    elif losses:
        log.notes.append(f"losses before the first step: {len(losses)} left out")


@dataclass(slots=True)
class _Converted:
    """Perplexities and bits per byte of validations: read where the log has no loss of the split in nats."""

    log: OpenLog
    points: list[LossPoint] = field(default_factory=list)

    def see(self, line: str, step: int, at: int) -> None:
        for match in OTHER_UNIT.finditer(line):
            name = line[line.rfind("|", 0, match.start()) + 1 : match.end(1)].strip(" [")
            known = loss_name(" ".join(words_of(name)[-2:]))
            value = in_nats(float(match[2]), unit_of(name), self.log.keys.bytes_per_token)
            if known is None or known.split != "validation":
                continue
            if value is None:
                self.log.note(bits_per_byte([name]))
            else:
                self.points.append(LossPoint(step, known.split, value, f"{self.log.name}:{at}"))
                self.log.understood.setdefault((known.split, name), "name")

    def missing(self) -> Iterator[LossPoint]:
        """The points, if the log has losses in nats and none of a validation among them."""
        in_nats_too = {role for role, name in self.log.understood if unit_of(name) == "nats"}
        if "train" in in_nats_too and "validation" not in in_nats_too:
            yield from self.points
        else:
            others = [place for place in self.log.understood if unit_of(place[1]) != "nats"]
            for place in others:
                del self.log.understood[place]


def _placed(points: list[LogPoint], pace: _Pace, log: OpenLog) -> list[LogPoint]:
    """The points of a log in which no line names a step, at those of their epochs.

    Raises :class:`UnplacedError` where the log does not tell how many steps an epoch has.
    """
    if points and pace.per_epoch and all(point.epoch is not None for point in points):
        log.notes.append(f"no line names a step: taken from the epochs, {pace.per_epoch:g} steps each, {pace.source}")
        return [replace(point, step=round(pace.per_epoch * (point.epoch or 0))) for point in points]
    if points:
        losses = "1 loss" if len(points) == 1 else f"{len(points):,} losses"
        raise UnplacedError(f"{log.path}: {losses}, and no line names a step{_elsewhere(log)}")
    return points


def _elsewhere(log: OpenLog) -> str:
    """Where a Hugging Face trainer keeps the steps that its console leaves out."""
    folder = log.path.parent
    states = [folder / "trainer_state.json", *sorted(folder.glob("checkpoint-*/trainer_state.json"))]
    trainer_state = next((state for state in reversed(states) if state.is_file()), None)
    return f"; {trainer_state} does: name it under [log] path" if trainer_state else ""


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
class StepCounter:
    """Counts steps on where they start again in every epoch: the step falls as the epoch grows."""

    log: OpenLog
    before: int = 0
    last: int = -1
    epoch: float | None = None

    def on(self, step: int, total: str | None, epoch: float | None) -> int:
        """The step from the beginning of training.

        ``total`` is the number of steps that the line names: of one epoch if the steps start again in every epoch.
        """
        if step < self.last and epoch is not None and self.epoch is not None and int(epoch) > int(self.epoch):
            if not self.before:
                self.log.notes.append("its steps start again in every epoch: they are counted on")
            self.before += int(total) if total else self.last + 1
        self.last, self.epoch = step, epoch if epoch is not None else self.epoch
        return self.before + step


def _logged(line: str, step: int, source: str, log: OpenLog, named: set[Split]) -> Iterator[LogPoint]:
    """What one line says. ``named`` has the splits whose loss was seen by its name."""
    epoch, time = _epoch(line), _time(line)
    if "entropy" in line and (entropy := _entropy(line)) is not None:
        yield entropy_point(step, entropy, source, epoch, time)
    if not (("reward" in line or "logps" in line) and REWARD.search(line)):
        for split, loss in _losses(line, log, named):
            yield LossPoint(step, split, loss, source, epoch, time)


def _epoch(line: str) -> float | None:
    match = EPOCH.search(line) if "epoch" in line else None
    return float(match[1]) if match else None


def _time(line: str) -> float | None:
    match = TIME.match(line)
    return seconds(match[1].upper()) if match else None


def _entropy(line: str) -> float | None:
    """The most telling entropy of a line."""
    entropies = {name: float(value) for name, value in ENTROPY.findall(line) if is_entropy(name)}
    return entropies[min(entropies, key=entropy_rank)] if entropies else None


def _losses(line: str, log: OpenLog, named: set[Split]) -> Iterator[tuple[Split, float]]:
    for match in LOSS.finditer(line):
        start, end = match.span()
        # What stands before the last bar differs from line to line, what stands after it does not.
        cell = line.rfind("|", 0, start) + 1
        split = _split(line[cell:start][-LONGEST_BEFORE:])
        if split is None or MEAN_OF_RUN in line:
            continue
        if split == "train" and "val" in line and _is_of_validation(line[:start], cell):
            split = "validation"
        if end == len(line):
            log.note(TORN)
        else:
            if split not in named:
                named.add(split)
                log.understood[split, NAME.findall(line[cell : start + len("loss")])[-1]] = "name"
            yield split, float(match[1])


def _is_of_validation(before: str, cell: int) -> bool:
    """Whether a line says so before a loss whose own words, from ``cell`` on, name no split."""
    return OF_LINE.search(before) is not None and "train" not in before[cell:]


@lru_cache(maxsize=1_000)
def _split(before: str) -> Split | None:
    """The split that the words before ``loss`` name; None where it is another loss, such as ``aux_loss``.

    A loss that is called the best so far is one that was logged before.
    """
    before = KINDS.sub("", before) or " "
    joint = before[-1:]
    if joint.isalnum():
        return None
    words = re.findall(r"[a-z]+", before)
    last = words[-1] if words else ""
    if "best" in words[-2:] or last in OTHER_LOSSES:
        return None
    return SPLITS.get(last) or (None if joint in JOINTS and joint else "train")
