"""Lines that differ from an earlier one in their numbers alone: many at a time are read by one pattern.

A loop prints lines of a few forms, a million times. What is read by a pattern is the same as without, in a third of the
time.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING

from evalharness.training_log.columns import loss_points, seconds
from evalharness.training_log.open_log import lines_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from evalharness.records import LossPoint, Split

MOST_FORMS = 6
# Each takes all that it can and gives nothing back, so that no position is kept to go back to.
INTEGER = re.compile(r"\d{1,9}+")
DECIMAL = re.compile(r"[-+]?+\d++\.\d++(?:[eE][-+]?+\d++)?+")
EPOCH = re.compile(r"\d++(?:\.\d++)?+")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ tT]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?|\d+(?:\.\d+)?")
"""A date with its time, or seconds."""
ANY_NUMBER = r"[ \t]*+[-+]?+\d[\d.,]*+(?:[eE][-+]?+\d++)?+[ \t]*+"
NUMBERS = re.compile(ANY_NUMBER)
MAY_GO_ON = re.compile(r"[.,_'][^\s]")
"""What may join two groups of digits to one number: such a figure is not read by a pattern."""
OTHER_LINE = r"([^\n]+\n?|\n)"

Place = tuple[int, int]
Row = tuple[str, ...]
"""What the patterns find in a line: the figures of each form, and last the whole line if it is of none."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Where a line has its step, how many there are, its epoch, its moment and its losses."""

    step: Place
    losses: Sequence[tuple[Split, Place]]
    total: Place | None = None
    epoch: Place | None = None
    moment: Place | None = None

    def by_place(self) -> Mapping[Place, re.Pattern[str]] | None:
        """How each figure is written, in the order of the line; None if two of them are one."""
        singles = ((self.step, INTEGER), (self.total, INTEGER), (self.epoch, EPOCH), (self.moment, MOMENT))
        written = [(place, number) for place, number in singles if place is not None]
        written += [(place, DECIMAL) for _, place in self.losses]
        by_place = dict(sorted(written, key=lambda figure: figure[0]))
        return by_place if len(by_place) == len(written) else None


@dataclass(frozen=True, slots=True)
class KnownLine:
    """One form of line: the first such line, its pattern, and which item of a row is what.

    ``by_line``: its lines are read one by one, for more than their figures counts.
    """

    line: str
    pattern: str
    first: int
    after: int
    step: int
    total: int | None
    epoch: int | None
    moment: int | None
    losses: tuple[tuple[Split, int], ...]
    splits: list[Split]
    by_line: bool


@dataclass(frozen=True, slots=True)
class Run:
    """Lines one below another, the first with the number ``at``, as rows of one form; or a ``line`` by itself."""

    form: KnownLine | None
    rows: Sequence[Row]
    at: int
    line: str = ""

    def points(self, name: str, before: int = 0, times: float = 1.0) -> list[LossPoint]:
        """Their losses at the steps that they name after ``before`` others, ``times`` as large; ``name``: the log's."""
        form = self.form
        if form is None:
            return []
        columns = list(zip(*self.rows, strict=True))
        steps = [before + int(text) for text in columns[form.step]]
        sources = [f"{name}:{at}" for at in range(self.at, self.at + len(steps))]
        epochs = repeat(None) if form.epoch is None else _each_once(float, columns[form.epoch])
        times_s = repeat(None) if form.moment is None else _each_once(_seconds, columns[form.moment])
        of_splits = []
        for split, item in form.losses:
            losses = [float(text) for text in columns[item]]
            losses = losses if times == 1 else [times * loss for loss in losses]
            of_splits.append(loss_points(steps, split, losses, sources, epochs, times_s))
        return of_splits[0] if len(of_splits) == 1 else [*itertools.chain.from_iterable(zip(*of_splits, strict=True))]


def _each_once(read: Callable[[str], float | None], texts: Sequence[str]) -> list[float | None]:
    """What is read of each text; most are the same as the one before."""
    values = {text: read(text) for text in dict.fromkeys(texts)}
    return [values[text] for text in texts]


def _seconds(moment: str) -> float | None:
    return seconds(moment.upper())


@dataclass(slots=True)
class KnownLines:
    """The forms so far."""

    forms: list[KnownLine] = field(default_factory=list)
    _of_block: re.Pattern[str] | None = None
    _of_line: re.Pattern[str] | None = None

    def _rows(self, block: str) -> Sequence[Row]:
        """A row for each line of a text."""
        return self._of_block.findall(block) if self._of_block else [(line,) for line in lines_in(block)]

    def _form_of(self, row: Row) -> KnownLine:
        """The form whose figures a row has."""
        return next(form for form in self.forms if row[form.first])

    def runs(self, block: str, at: int) -> Iterator[Run]:
        """The lines of a text, whose first has the number ``at``: those of one form together, others one by one."""
        for line, group in itertools.groupby(self._rows(block), itemgetter(-1)):
            rows = list(group)
            if line:
                yield from (self._alone(line, at + i) for i in range(len(rows)))
            elif len(self.forms) == 1:
                yield Run(self.forms[0], rows, at)
            else:
                yield from self._by_form(rows, at)
            at += len(rows)

    def _alone(self, line: str, at: int) -> Run:
        """A line that is of no form, or of one that was not known where its block begins."""
        match = self._of_line and self._of_line.fullmatch(line)
        if not match:
            return Run(None, (), at, line)
        row = match.groups("")
        return Run(self._form_of(row), (row,), at, line)

    def _by_form(self, rows: Iterable[Row], at: int) -> Iterator[Run]:
        for form, group in itertools.groupby(rows, self._form_of):
            of_form = list(group)
            yield Run(form, of_form, at)
            at += len(of_form)

    def add(self, line: str, figures: Figures, *, by_line: bool = False) -> None:
        """Keep the form of a line, if its figures are plain numbers and there are few forms so far."""
        by_place = figures.by_place()
        if len(self.forms) == MOST_FORMS or by_place is None or not line.endswith("\n"):
            return
        if not all(_is_plain(line, *place, number) for place, number in by_place.items()):
            return
        first = self.forms[-1].after if self.forms else 0
        item = {place: at for at, place in enumerate(by_place, first)}
        self.forms.append(
            KnownLine(
                line,
                _pattern(line.removesuffix("\n"), by_place),
                first,
                first + len(by_place),
                item[figures.step],
                figures.total and item[figures.total],
                figures.epoch and item[figures.epoch],
                figures.moment and item[figures.moment],
                tuple((split, item[place]) for split, place in figures.losses),
                [split for split, _ in figures.losses],
                by_line,
            )
        )
        self._of_line = re.compile("|".join(form.pattern for form in self.forms))
        in_blocks = ("(?!)" * form.by_line + form.pattern for form in self.forms)
        self._of_block = re.compile("|".join([*in_blocks, OTHER_LINE]))


def _is_plain(line: str, start: int, end: int, number: re.Pattern[str]) -> bool:
    """Whether a figure is a plain number, and nothing after it can be taken for more of it."""
    return number.fullmatch(line, start, end) is not None and MAY_GO_ON.match(line, end) is None


def _pattern(line: str, figures: Mapping[Place, re.Pattern[str]]) -> str:
    pieces, last = [], 0
    for (start, end), number in figures.items():
        pieces += [_text(line[last:start]), f"({number.pattern})"]
        last = end
    return "".join([*pieces, _text(line[last:]), r"\n"])


def _text(text: str) -> str:
    """A pattern for the text between two figures; blanks beside them and all other numbers may differ."""
    stripped = text.strip(" ")
    inner = ANY_NUMBER.join(map(re.escape, NUMBERS.split(stripped)))
    return " *+" * text.startswith(" ") + inner + " *+" * (text.endswith(" ") and bool(stripped))
