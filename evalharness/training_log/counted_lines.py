"""Lines of a loop of one's own, told by their structure: a whole number that grows, and figures with a name.

``it 100 | nll 5.90 | val nll 5.92``; ``s:250 tel:6.1`` (llm.c); ``250 val 6.1000`` (build-nanogpt); ``Step 50/ 1000;
ppl: 9.1; xent: 2.21`` (OpenNMT). It is tried if no line speaks of both a step and a loss.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalharness.records import LossPoint
from evalharness.training_log.columns import NEWEST_S, columns, loss_point, number, points, seconds
from evalharness.training_log.figure_names import loss_name
from evalharness.training_log.known_lines import Figures, KnownLines, Run
from evalharness.training_log.line_figures import ALL_OF, LineFigures, figures, places_of
from evalharness.training_log.open_log import TORN, note_unread
from evalharness.training_log.own_names import ENOUGH_ROWS, RowPlans
from evalharness.training_log.printed_lines import printed_blocks, printed_lines, with_points
from evalharness.training_log.step_counting import StepCounter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalharness.records import LogPoint, Split
    from evalharness.training_log.columns import Columns
    from evalharness.training_log.known_lines import KnownLine, Place
    from evalharness.training_log.open_log import OpenLog

FORM = "lines with a counter"
PRIORITY = 92
WITHOUT_A_STEP = (
    "training losses of lines without a step are left out; if they are of an evaluation, "
    "set [log] validation to a regular expression of these lines"
)
LONG = 10
"""Digits of a number that may be no step."""


def recognises(head: Sequence[str]) -> bool:
    """Whether some line has a figure with the name of a loss."""
    return any(loss_name(name) for line in with_points(head) for name in figures(line))


def read(log: OpenLog) -> Iterator[LogPoint]:
    """The losses of every line that has a counter, and validations below such a line.

    Training losses below it count if no line has both. A last number that may be cut off is left out.
    """
    known = LineFigures(log.keys.train)
    first = (_names_and_texts(known, line, log) for _, line in itertools.islice(printed_lines(log), ENOUGH_ROWS))
    sample = [dict(zip(names, texts, strict=True)) for names, texts in first if names]
    plans = RowPlans(log, sample)
    plan = columns(dict.fromkeys(name for row in sample for name in row), plans.own)
    if plan is None:
        return iter(())
    apart = not any(plan.step in row and _has_training_loss(row, plan) for row in sample)
    return itertools.chain.from_iterable(_Reading(log, plan, plans, StepCounter(log), apart=apart).by_line())


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where lines of one shape have their step and their losses in nats: they say nothing else that counts."""

    step: int
    total: int | None
    epoch: int | None
    time: int | None
    losses: tuple[tuple[Split, int], ...]

    def figures(self, places: Sequence[Place]) -> Figures:
        """The same as places in a line that has its figures at ``places``."""
        total, epoch, time = (None if at is None else places[at] for at in (self.total, self.epoch, self.time))
        return Figures(places[self.step], [(split, places[at]) for split, at in self.losses], total, epoch, time)


@dataclass(slots=True)
class _Reading:
    """What the lines so far have said. ``apart``: no line has both a step and a training loss."""

    log: OpenLog
    known: Columns
    plans: RowPlans
    counter: StepCounter
    apart: bool
    step: int | None = None
    shapes: dict[tuple[str, ...], _Shape | None] = field(default_factory=dict)
    forms: KnownLines = field(default_factory=KnownLines)
    figures: LineFigures = field(init=False)

    def __post_init__(self) -> None:
        self.figures = LineFigures(self.log.keys.train)

    def by_line(self) -> Iterator[Iterable[LogPoint]]:
        """What each line with figures says. At the end it is noted what was not read."""
        for at, block in printed_blocks(self.log):
            for run in self.forms.runs(block, at):
                yield self._of_line(run.line, run.at) if run.form is None else self._of_run(run, run.form)
        note_unread(self.log, self.plans.names())

    def _of_run(self, run: Run, form: KnownLine) -> Sequence[LossPoint]:
        """What :meth:`_of_line` finds in lines of one form."""
        if form.epoch is None and self.counter.heading is None:
            self.step = self.counter.on(int(run.rows[-1][form.step]), None, None)
            return run.points(self.log.name, self.counter.before)
        points: list[LossPoint] = []
        for at, row in enumerate(run.rows, run.at):
            total = None if form.total is None else int(row[form.total])
            counted = int(row[form.step])
            self.step = self.counter.on(counted, total, None if form.epoch is None else float(row[form.epoch]))
            points += Run(form, (row,), at).points(self.log.name, self.step - counted)
        return points

    def _of_line(self, line: str, at: int) -> Iterable[LogPoint]:
        """What a line says that is like none before."""
        names, texts = _names_and_texts(self.figures, line, self.log)
        if not names:
            return ()
        if names not in self.shapes:
            self.shapes[names] = self._shape(dict(zip(names, texts, strict=True)))
        shape = self.shapes[names]
        counted = None if shape is None else _count(texts[shape.step])
        if shape is None or counted is None:
            return self._of_row(dict(zip(names, texts, strict=True)), f"{self.log.name}:{at}")
        self.forms.add(line, shape.figures(list(places_of(line, self.figures.told).values())))
        return self._of_shape(shape, counted, texts, f"{self.log.name}:{at}")

    def _of_shape(self, shape: _Shape, counted: int, texts: tuple[str, ...], source: str) -> list[LossPoint]:
        """The same as :meth:`_of_row` finds, in half the time."""
        epoch = None if shape.epoch is None else number(texts[shape.epoch])
        total = None if shape.total is None else _count(texts[shape.total])
        time_s = None if shape.time is None else seconds(texts[shape.time])
        self.step = step = self.counter.on(counted, total, epoch)
        of_line = []
        for split, place in shape.losses:
            try:
                loss: float | None = float(texts[place])
            except ValueError:
                loss = number(texts[place])
            if loss is not None:
                of_line.append(loss_point(step, split, loss, source, epoch, time_s))
        return of_line

    def _of_row(self, row: dict[str, str], source: str) -> Iterator[LogPoint]:
        step = self.known.step
        plan = self.plans.of(row, () if step in row else (step,))
        epoch = number(row.get(self.known.epoch)) if self.known.epoch else None
        self.counter.begin(epoch)
        if (counted := _count(row.get(step))) is not None:
            self.step = self.counter.on(counted, _count(row.get(ALL_OF.format(step))), epoch)
        if plan is not None and self.step is not None:
            of_line = points(row if counted == self.step else {**row, step: self.step}, plan, source)
            if self.apart or counted is not None:
                yield from of_line
                return
            if not all(map(_is_validation, of_line)):
                self.log.note(WITHOUT_A_STEP)
            yield from filter(_is_validation, of_line)

    def _shape(self, row: dict[str, str]) -> _Shape | None:
        """Where a row has what counts; None if it has no step, or more than one loss in nats of each split."""
        known = self.known
        plan = self.plans.of(row) if known.step in row else None
        if plan is None or plan.entropy or plan.split or plan.units or any(len(keys) > 1 for _, keys in plan.losses):
            return None
        if (plan.step, plan.epoch) != (known.step, known.epoch if known.epoch in row else None):
            return None
        place = {name: at for at, name in enumerate(row)}
        return _Shape(
            place[plan.step],
            place.get(ALL_OF.format(plan.step)),
            place[plan.epoch] if plan.epoch else None,
            place[plan.time] if plan.time else None,
            tuple((split, place[key]) for split, (key,) in plan.losses),
        )


def _count(text: str | None) -> int | None:
    """The number of steps that a text names; None for what is none, such as ``nan``."""
    if text is not None and text.isdecimal() and len(text) < LONG:
        return int(text)
    counted = number(text)
    return None if counted is None or not -NEWEST_S < counted < NEWEST_S else int(counted)


def _has_training_loss(row: Mapping[str, str], known: Columns) -> bool:
    return any(key in row for split, keys in known.losses if split == "train" for key in keys)


def _is_validation(point: LogPoint) -> bool:
    return isinstance(point, LossPoint) and point.split == "validation"


def _names_and_texts(figures: LineFigures, line: str, log: OpenLog) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names and texts of the figures of a line; of one that may be cut off the last is noted and left out."""
    if line.endswith("\n"):
        return figures.names_and_texts(line)
    log.note(TORN)
    return figures.names_and_texts(line[: max(line.rfind(" "), 0)])
