"""Lines as a loop prints them: ``Step   50/20000 | Loss: 0.4205 | …``, ``[EVAL] Step 2000 | Val Loss: 0.2224``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from evalharness.records import LogPoint, LossPoint, Split
from evalharness.training_log import counted_lines
from evalharness.training_log.columns import entropy_point, entropy_rank, is_entropy, loss_point, seconds
from evalharness.training_log.figure_names import OFTEN_BESIDE
from evalharness.training_log.known_lines import Figures, KnownLines, Run
from evalharness.training_log.line_figures import figures
from evalharness.training_log.open_log import TORN, UnplacedError
from evalharness.training_log.printed_lines import printed_blocks
from evalharness.training_log.split_of_line import (
    TEST_BAR,
    VALIDATION_BAR,
    WORDS_OF_SPLITS,
    is_in_bracket_of_validation,
    split_of_line,
)
from evalharness.training_log.step_counting import BAR, COUNT, EPOCH, Pace, StepCounter, count_of, epoch_in
from evalharness.training_log.unsaid_losses import UnsaidLosses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalharness.training_log.known_lines import KnownLine, Row
    from evalharness.training_log.open_log import OpenLog

FORM = "lines of a training loop"
PRIORITY = 90
# All are sought in lower case, and the loss by the word itself: a pattern that ignores case, or begins with what may
# stand before that word, is tried at every character and takes seconds in a million lines.
STEP = re.compile(
    r"\b(?:global[ _])?(?:step|iter(?:ation)?)(?:s? ?\d+(?:[-–]| to )|\b['\"]?\s*[:=]?\s*\[?)"
    rf"({COUNT})(?:\s*/\s*({COUNT}))?"
)
"""The step, the last of a range (``steps 1-100``), and of how many."""
TIME = re.compile(r"\W*(\d{4}-\d\d-\d\d[ t]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:z|[+-]\d\d:?\d\d)?)")
LOSS = re.compile(
    r"loss\b(?: value)?(?: \((?!bits?\b)[^()]*\))?"
    r"(?: (?:at|after|for|in) (?:global )?(?:step|iter(?:ation)?|epoch|batch) #?\d[\d,]*+)?"
    r"['\"]?\s*[:=]?\s*['\"]?(?:[a-z_.0-9]+\()?(?:[\d.]+(?:e[-+]?\d+)?\s*(?:->|=>|→)\s*)?+"
    r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?inf(?:inity)?|nan)\b(?!\.?\d|,\d|\s*bits?\b)"
)
ENTROPY = re.compile(
    r"(?<!cross[ -])(?<!train )(?<!valid )\b([\w/]*entropy\w*)['\"]?\s*[:=]\s*['\"]?"
    r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(?=[^\w.])"
)
REWARD = re.compile(r"['\"](?:train[/_]|eval[/_])?(?:(?:min|max|mean)_)?(?:rewards?|logps)[/_'\"]")
"""A key of TRL's rows: the loss beside it is that of a policy or of preferences."""
LOADED = re.compile(r"\b(?:load|resum|restor)")
"""A checkpoint is loaded, of this run or of another."""
BAR_WITH_LOSS = re.compile(r"(\d+)/(\d+) \[[^\]]*loss")
"""A progress bar of tqdm with losses behind its times."""
KINDS = re.compile(r"(?:cross[ _-]?entropy|\bce|\blm|\bnll|\bgpt)[ _/.-]?$")
"""What a loss is called as well: ``train/CrossEntropyLoss``, ``val lm loss``."""
OF_TOKENS = re.compile(
    r"\b(?:(?:train|val|valid|validation|eval|dev)[ _/.-])?(?:ce|nll|xent|cross[ _-]?entropy)(?:[ _-]loss)?"
    r"\b['\"]?\s*[:=]?\s*([-+]?\d+\.\d+(?:e[-+]?\d+)?)\b(?!\.?\d|,\d|\s*bits?\b)"
)
"""The loss of the tokens alone, beside one that has more in it: ``loss=3.6 (kd=1.4 ce=5.9)``."""
JOINTS = "_/.-"
NAME = re.compile(r"[a-z][\w/.-]*(?: [a-z][\w/.-]*)*$")
LONGEST_BEFORE = len("best validation loss")
LONGEST_GAP = 60
BLANKS = re.compile(r" {2,}")
"""Loggers set the words of a line apart: ``eval            loss=4.7``."""
SAME_DIGITS = str.maketrans("123456789", "0" * 9)
"""Lines differ in their digits, and these name no loss."""
ADJACENT = re.compile(r"([a-z]+) $")
"""The word before, with nothing between the two."""
SPLITS: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "eval", "evaluation", "dev"), "validation"),
}
OTHER_LOSSES = frozenset(
    (
        *("aux", "auxiliary", "kl", "policy", "value", "actor", "critic", "reward", "dpo", "pg", "vf", "balance"),
        *("test", "balancing", "router", "z", "mtp", "distill", "distillation", "contrastive", "mse", "l", "reg"),
    )
)
"""Words before "loss" that make it another one."""
OF_ONE_STEP = ("step", "batch")
"""``step_loss`` is the loss of a step, as in progress bars of diffusers and accelerate."""
MEANS = ("epoch", "step", "batch", "mean", "avg", "average", "total", "final")
"""Words between a validation and its loss: ``eval_epoch_loss``."""
TRAINS = re.compile(r"(?<![\w./])train(?:ing)?(?![a-z.])")
"""The word, and not the name of a logger or a file: ``trainer``, ``train.py``."""
ENDS_OF_HEADINGS = (":", "...", "…")
EVALUATION = re.compile(r"\b(?:eval(?:uation|uating)?|validation|validating|test(?:ing)?)\b[\w ]*(?::|\.\.\.|…)\s*$")
"""A heading over lines that name neither step nor split: their losses are not of training."""
EVALUATES = re.compile(r"\b(?:eval|evaluation|evaluating|evaluate|validation|validating|validate)\b")
FRAME = frozenset("*=-#_]")
FRAMED = re.compile(
    r"\W+(?:running )?(?:eval(?:uation|uating)?|validation|validating|test(?:ing)?)(?:,? [a-z]+|,? \d+(?:/\d+)?)*[\W_]+"
)
"""The same in a frame: ``*** Evaluating, epoch 1/2 ***``, ``[eval]``."""
RUN_SUMMARY = "run summary:"
"""What W&B prints below it at the end is the last of each figure once more, or its least."""
MEAN_BELOW = "training losses below a line with that of its step are left out: means of an epoch, or of a run"
ANOTHER_KIND = (
    "a second training loss of a step, in lines of another kind, is left out; if it is of an evaluation, "
    "set [log] validation to a regular expression of these lines"
)
LONG_WORD = re.compile(r"[a-z]{3,}")
NO_WORDS = frozenset(("nan", "inf"))
MOST_BELOW_A_STEP = 3
FEW_ROWS = 4
MEAN_OF_RUN = "train_runtime"
"""On the line of this word a Hugging Face trainer prints the mean of the run, which is no point."""


def recognises(head: Sequence[str]) -> bool:
    """Whether lines speak of a loss, or are of no other form: whatever else a file is, it may have such lines."""
    said = (line.lower() for line in head)
    return any("loss" in line or "entropy" in line for line in said) or not counted_lines.recognises(head)


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses, and the entropy; a line without a step has that of the line before.

    A validation loss before the first training loss, or below a line that tells of a checkpoint that was loaded, is no
    loss of this run if training goes on at an earlier step: it is that of the model that training starts from ("loaded
    from step 50000"). It goes to ``log.base_losses``. Raises :class:`UnplacedError` where no line names a step.
    """
    pending: list[LossPoint] | None = []
    last = -1
    for points in _Reading(log, _Place(log, StepCounter(log)), UnsaidLosses(log)).points():
        if points is None:
            yield from pending or ()
            pending = []
            continue
        for at, point in enumerate(points):
            if pending is None:
                yield from points[at:]
                break
            if not isinstance(point, LossPoint):
                yield point
            elif point.split == "validation":
                pending.append(point)
            else:
                yield from _of_this_run(pending, point.step, log)
                yield point
                pending = None
        last = next((p.step for p in reversed(points) if isinstance(p, LossPoint) and p.split == "train"), last)
    yield from pending or () if last < 0 else _of_this_run(pending or (), last, log)


def _of_this_run(pending: Iterable[LossPoint], step: int, log: OpenLog) -> list[LossPoint]:
    """The validation losses up to the step at which training goes on; the log keeps the others as its base's."""
    log.base_losses.extend(early for early in pending if early.step > step)
    return [early for early in pending if early.step <= step]


@dataclass(slots=True)
class _Reading:
    """What the lines so far have said. ``named``: the splits whose loss was seen by that word."""

    log: OpenLog
    place: _Place
    unsaid: UnsaidLosses
    pace: Pace = field(default_factory=Pace)
    named: set[Split] = field(default_factory=set)
    unplaced: list[LogPoint] = field(default_factory=list)
    evaluated: int | None = None
    known: KnownLines = field(default_factory=KnownLines)
    name: str = ""

    def __post_init__(self) -> None:
        self.name = self.log.name

    def points(self) -> Iterator[Sequence[LogPoint] | None]:
        """Every loss and entropy in the order of the lines; None for a line that tells of a loaded checkpoint."""
        for at, printed in printed_blocks(self.log):
            for run in self.known.runs(printed.lower(), at):
                if run.form is not None:
                    yield self._of_run(run, run.form)
                    continue
                if self.place.move(run.line):
                    yield None
                yield self._of_other_line(run.line, run.at)
        yield list(self._at_end())

    def _of_other_line(self, line: str, at: int) -> Sequence[LogPoint]:
        """What a line says that is like none before."""
        says_more = False
        if self.place.step is None:
            self.pace.see(line)
        elif "validation" not in self.named:
            says_more = self.unsaid.see(line, self.place.step, at)
        return self._of_line(line, at, says_more=says_more) if "loss" in line or "entropy" in line else ()

    def _of_line(self, line: str, at: int, *, says_more: bool) -> Sequence[LogPoint]:
        logged = _logged(line, self.place.step or 0, f"{self.name}:{at}", self.log, self.named)
        if self.place.evaluates and not self.place.is_named:
            logged = [replace(p, split="validation") if type(p) is LossPoint else p for p in logged]
            self.named.add("validation")
        step, splits = self.place.step, [point.split for point in logged if type(point) is LossPoint]
        if splits and self.place.heading and (splits == ["train"] or self.place.heading.endswith(RUN_SUMMARY)):
            self.log.note(f"losses under {self.place.heading!r} are of no training step: left out")
            return ()
        if step is None:
            self.unplaced += logged
            return ()
        if self.place.is_crowded(splits):
            raise UnplacedError(f"{self.log.path}: line {at}: losses of several steps, and no line names these")
        if self.place.is_trained_again(splits, line):
            if not self.place.is_named:
                self.log.note(MEAN_BELOW)
            elif step != self.evaluated:  # what is beside an evaluation of both splits is one batch of its step
                self.log.note(ANOTHER_KIND)
            return ()
        if splits and (figures := _figures(line)):
            self.known.add(line, figures, by_line=says_more)
        return logged if self._counts(step, splits, at) else ()

    def _counts(self, step: int, splits: list[Split], at: int) -> bool:
        """Whether the losses of a line count.

        An evaluation of both splits, as nanoGPT's, is over many batches; a line after it is of one of that step.
        """
        if step == self.evaluated and self.place.is_named and splits == ["train"]:
            return False
        self.evaluated = step if len(splits) > 1 else self.evaluated
        if self.unsaid.first is None and "train" in splits:
            self.unsaid.first = (at, step)
        return True

    def _of_run(self, run: Run, form: KnownLine) -> Sequence[LossPoint]:
        """What :meth:`_of_known_line` finds in each of many lines.

        What is between the first and the last of them changes nothing for what comes after, unless epochs do.
        """
        counter, rows = self.place.counted, run.rows
        evaluated = None if self.evaluated is None else self.evaluated - counter.before
        is_one_by_one = form.epoch is not None or counter.heading is not None or len(rows) < FEW_ROWS
        if is_one_by_one or (form.splits == ["train"] and any(int(row[form.step]) == evaluated for row in rows)):
            return [p for at, row in enumerate(rows, run.at) for p in self._of_known_line(form, row, at, run.line)]
        return [
            *self._of_known_line(form, rows[0], run.at),
            *Run(form, rows[1:-1], run.at + 1).points(self.name, counter.before),
            *self._of_known_line(form, rows[-1], run.at + len(rows) - 1),
        ]

    def _of_known_line(self, form: KnownLine, row: Row, at: int, line: str = "") -> Sequence[LossPoint]:
        """What :meth:`_of_line` finds in a line that differs from an earlier one in its numbers alone."""
        place = self.place
        epoch = None if form.epoch is None else float(row[form.epoch])
        step = place.go_to(int(row[form.step]), None if form.total is None else int(row[form.total]), epoch)
        if "train" in form.splits:
            place.has_trained, place.trained_at, place.trained_line = True, step, form.line
        if form.by_line and "validation" not in self.named:
            self.unsaid.see(line, step, at)
        if not self._counts(step, form.splits, at):
            return ()
        time_s, source = None if form.moment is None else seconds(row[form.moment].upper()), f"{self.name}:{at}"
        return [loss_point(step, split, float(row[item]), source, epoch, time_s) for split, item in form.losses]

    def _at_end(self) -> Iterable[LogPoint]:
        """What can be told of losses only when the whole log is read."""
        if self.place.step is None:
            return _placed(self.unplaced, self.pace, self.log)
        _keep_early(self.unplaced, self.log)
        if self.unsaid.has_training and "train" not in self.named:
            raise UnplacedError(f"{self.log.path}: its training losses are not called a loss")
        return self.unsaid.points() if self.named == {"train"} else ()


@dataclass(slots=True)
class _Place:
    """Where in training a line stands: its step, and the heading of an evaluation above it."""

    log: OpenLog
    counted: StepCounter
    step: int | None = None
    heading: str = ""
    is_named: bool = False
    """Whether the line itself names the step."""
    has_trained: bool = False
    """Whether the line of the step has a training loss."""
    trained_at: int | None = None
    trained_line: str = ""
    """The last line that names a step and has a training loss, and that step."""
    below: int = 0
    """How many training losses stand below the line of the step."""
    evaluates: bool = False
    """Whether the line of the step is the heading of an evaluation: ``eval at step 500``."""

    def move(self, line: str) -> bool:
        """Go on to a line; true where it tells of a checkpoint that was loaded."""
        match = STEP.search(line) if "step" in line or "iter" in line else None
        match = match or self._bar(line)
        self.is_named = match is not None
        epoch = epoch_in(line)
        if match is None:
            self.counted.begin(epoch)
            if _is_heading(line.rstrip()):
                self.heading = line.strip()
            return False
        if self.step is None:
            name = line[match.start() : match.start(1)].strip("0123456789- \t:=['\"")
            self.log.understood["step", name or "progress bar"] = "name"
        total = _total(line, match)
        self.go_to(count_of(match[1]), count_of(line[slice(*total)]) if total else None, epoch)
        self.evaluates = "loss" not in line and EVALUATES.search(line) is not None and _has_only(line, match)
        return "loss" not in line and LOADED.search(line) is not None

    def go_to(self, step: int, total: int | None, epoch: float | None) -> int:
        """Go on to a line that names a step, of as many as it says; return the step from the beginning of training."""
        self.heading, self.below, self.is_named, self.evaluates, self.has_trained = "", 0, True, False, False
        self.step = self.counted.on(step, total, epoch)
        return self.step

    def _bar(self, line: str) -> re.Match[str] | None:
        """The progress bar of training that a loss stands in. That of an evaluation counts no steps."""
        match = BAR_WITH_LOSS.search(line) if "loss" in line and " [" in line else None
        if match is None or VALIDATION_BAR.search(line):
            return None
        if TEST_BAR.search(line):
            self.heading = "test"
            return None
        return match

    def is_trained_again(self, splits: Sequence[Split], line: str) -> bool:
        """Whether a training loss stands below the line that has that of the step: it is a mean, of an epoch or so.

        One on a line of another kind that names the same step is of an evaluation, or a mean too.
        """
        if self.is_named:
            if splits == ["train"] and self.step == self.trained_at and _says_other_things(line, self.trained_line):
                return True
            self.has_trained = "train" in splits
            if self.has_trained:
                self.trained_at, self.trained_line = self.step, line
            return False
        return self.has_trained and splits == ["train"]

    def is_crowded(self, splits: Sequence[Split]) -> bool:
        """Whether so many training losses stand below one line with a step that they can't be of that step."""
        self.below += not self.is_named and "train" in splits
        return self.below > MOST_BELOW_A_STEP


def _says_other_things(line: str, other: str) -> bool:
    """Whether two lines differ in their words; those with progress bars differ in how these are drawn."""
    if BAR.search(line) or BAR.search(other):
        return False
    return set(LONG_WORD.findall(line)) - NO_WORDS != set(LONG_WORD.findall(other)) - NO_WORDS


def _has_only(line: str, step: re.Match[str]) -> bool:
    """Whether a line has no figure beside its step, and how many there are."""
    return {*figures(line).values()} <= {step[1], step[2]}


def _is_heading(line: str) -> bool:
    if line.endswith(ENDS_OF_HEADINGS):
        return EVALUATION.search(line) is not None or line.endswith(RUN_SUMMARY)
    return line[-1:] in FRAME and FRAMED.fullmatch(line) is not None


def _keep_early(points: Sequence[LogPoint], log: OpenLog) -> None:
    """Keep a validation loss from before the first step as that of the model that training starts from.

    Other losses without a step are left out: none is invented.
    """
    losses = [point for point in points if isinstance(point, LossPoint)]
    if [point.split for point in losses] == ["validation"]:
        log.base_losses.extend(losses)
    elif losses:
        log.notes.append(f"losses before the first step: {len(losses)} left out")


def _placed(points: list[LogPoint], pace: Pace, log: OpenLog) -> list[LogPoint]:
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


def _logged(line: str, step: int, source: str, log: OpenLog, named: set[Split]) -> list[LogPoint]:
    """What one line says. ``named`` has the splits whose loss was seen by its name."""
    epoch, time = epoch_in(line), _time(line)
    logged: list[LogPoint] = []
    if "entropy" in line and (entropy := _entropy(line)) is not None:
        logged.append(entropy_point(step, entropy, source, epoch, time))
    if not (("reward" in line or "logps" in line) and REWARD.search(line)):
        logged += [loss_point(step, split, loss, source, epoch, time) for split, loss in _losses(line, log, named)]
    return logged


def _time(line: str) -> float | None:
    match = TIME.match(line)
    return seconds(match[1].upper()) if match else None


def _entropy(line: str) -> float | None:
    """The most telling entropy of a line."""
    entropies = {name: float(value) for name, value in ENTROPY.findall(line) if is_entropy(name)}
    return entropies[min(entropies, key=entropy_rank)] if entropies else None


def _losses(line: str, log: OpenLog, named: set[Split]) -> Iterator[tuple[Split, float]]:
    for loss, match in _loss_matches(line):
        if match.end() == len(line):
            log.note(TORN)
            continue
        if loss.split not in named:
            named.add(loss.split)
            log.understood[loss.split, _name_of(line, match)] = "name"
        yield loss.split, float(match[1])


def _name_of(line: str, match: re.Match[str]) -> str:
    """What a line calls the loss that stands at a match."""
    if not match[0].startswith("loss"):
        return line[match.start() : match.start(1)].rstrip(" '\":=")
    cell = line.rfind("|", 0, match.start()) + 1
    names: list[str] = NAME.findall(line[cell : match.start() + len("loss")])
    return names[-1]


def _loss_matches(line: str) -> Iterable[tuple[_Said, re.Match[str]]]:
    """Every loss of a line, with its match."""
    if MEAN_OF_RUN in line:
        return ()
    said = [(loss, match) for match in LOSS.finditer(line) if (loss := _said(line, match)) is not None]
    said = said if len(said) == 1 else [*_plain(said)]
    if len(said) == 1 and (of_tokens := _of_tokens(line, said[0][0].split)) is not None:
        return [(said[0][0], of_tokens)]
    return said


def _of_tokens(line: str, split: Split) -> re.Match[str] | None:
    """The one loss of the tokens alone in a line; None without one of this split, or if several may be it."""
    if not any(word in line for word in ("ce", "nll", "xent", "entropy")):
        return None
    matches = [*OF_TOKENS.finditer(line)]
    of_split = [match for match in matches if SPLITS.get(re.split(r"[ _/.-]", match[0])[0], split) == split]
    return of_split[0] if len(matches) == len(of_split) == 1 else None


def _figures(line: str) -> Figures | None:
    """Where a line has its step and losses; None if it does not name its step, or has more than losses."""
    step = STEP.search(line) if "step" in line or "iter" in line else None
    if step is None or "entropy" in line or "reward" in line or "logps" in line or not line.endswith("\n"):
        return None
    losses = [(loss.split, match.span(1)) for loss, match in _loss_matches(line)]
    epoch, moment = EPOCH.search(line) if "ep" in line else None, TIME.match(line)
    return Figures(
        step.span(1),
        losses,
        _total(line, step),
        None if epoch is None else epoch.span(1),
        None if moment is None else moment.span(1),
    )


def _total(line: str, step: re.Match[str]) -> tuple[int, int] | None:
    """Where a line says of how many the step is one: beside it, or in the progress bar that counts the same steps."""
    if step.lastindex == 2:
        return step.span(2)
    bar = BAR.search(line) if " [" in line else None
    return bar.span(2) if bar and int(bar[1]) - count_of(step[1]) in {0, 1} else None


def _plain(said: Iterable[tuple[_Said, re.Match[str]]]) -> Iterator[tuple[_Said, re.Match[str]]]:
    """Those of a line that are plain, and of a split that has none of these all."""
    said = list(said)
    plain = {loss.split for loss, _ in said if loss.is_plain}
    yield from ((loss, match) for loss, match in said if loss.is_plain or loss.split not in plain)


@dataclass(frozen=True, slots=True)
class _Said:
    """Which loss the words before "loss" name. ``is_plain``: none of them is unknown, as in ``margin loss``."""

    split: Split
    is_plain: bool


def _said(line: str, match: re.Match[str]) -> _Said | None:
    """The loss that stands at a match; None for one of another kind, or of a test."""
    start = match.start()
    # What stands before the last bar differs from line to line, what stands after it does not.
    cell = line.rfind("|", 0, start) + 1
    before = line[max(cell, start - LONGEST_GAP) : start]
    before = BLANKS.sub(" ", before) if "  " in before else before
    loss = _named_by(before[-LONGEST_BEFORE:].translate(SAME_DIGITS))
    if loss is None or loss.split != "train" or not any(word in line for word in WORDS_OF_SPLITS):
        return loss
    is_in_bracket = is_in_bracket_of_validation(line[:start])
    of_line = None if TRAINS.search(line, cell, start) else split_of_line(line, start)
    if is_in_bracket or of_line == "validation":
        return _Said("validation", loss.is_plain)
    return None if of_line == "test" else loss


@lru_cache(maxsize=1_000)
def _named_by(before: str) -> _Said | None:
    """The loss that the words before ``loss`` name; None where it is another loss, such as ``aux_loss``.

    A loss that is called the best so far is one that was logged before. That of a test is no validation's.
    """
    before = KINDS.sub("", before) or " "
    joint = before[-1:]
    if joint.isalnum():
        return None
    words = re.findall(r"[a-z]+", before)
    last = words[-1] if words else ""
    if last in MEANS and len(words) > 1 and SPLITS.get(words[-2]) == "validation":
        last = words[-2]
    if "best" in words[-2:] or last in OTHER_LOSSES:
        return None
    is_other = joint in JOINTS and joint and last not in OF_ONE_STEP
    split = SPLITS.get(last) or (None if is_other else "train")
    beside = ADJACENT.findall(before)
    return split and _Said(split, not beside or beside[0] in SPLITS or beside[0] in OFTEN_BESIDE)
