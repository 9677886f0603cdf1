"""Lines that differ from an earlier one in their numbers alone: read by a pattern, in half the time.

A loop prints lines of a few forms, a million times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalharness.training_log.step_counting import epoch_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.records import Split

MOST_FORMS = 6
INTEGER = re.compile(r"\d+")
DECIMAL = re.compile(r"[-+]?\d+\.\d+(?:e[-+]?\d+)?")
ANY_NUMBER = r"\s*[-+]?\d[\d.,]*(?:e[-+]?\d+)?\s*"
NUMBERS = re.compile(ANY_NUMBER)
MAY_GO_ON = frozenset(".,_'")
"""What may join two groups of digits to one number: such a figure is not read by a pattern."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Where a line in lower case has its step, how many there are, and its losses."""

    step: tuple[int, int]
    total: tuple[int, int] | None
    losses: Sequence[tuple[Split, tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class KnownLine:
    """One form of line: its pattern, and the groups in it."""

    pattern: re.Pattern[str]
    step: int
    total: int | None
    losses: tuple[tuple[Split, int], ...]
    splits: list[Split]
    has_epoch: bool


@dataclass(slots=True)
class KnownLines:
    """The forms so far."""

    forms: list[KnownLine] = field(default_factory=list)

    def of(self, line: str) -> tuple[KnownLine, re.Match[str]] | None:
        """The form of a line and its match; None if it is like none before."""
        for form in self.forms:
            if match := form.pattern.fullmatch(line):
                return form, match
        return None

    def add(self, line: str, figures: Figures) -> None:
        """Keep the form of a line, if its figures are plain numbers and there are few forms so far."""
        counts = [figures.step, *([figures.total] if figures.total else [])]
        plain = dict.fromkeys(counts, INTEGER) | {place: DECIMAL for _, place in figures.losses}
        if len(self.forms) == MOST_FORMS or not all(_is_plain(line, *p, plain[p]) for p in plain):
            return
        places = sorted(plain)
        group = {place: at for at, place in enumerate(places, 1)}
        self.forms.append(
            KnownLine(
                _pattern(line, [(*place, plain[place]) for place in places]),
                group[figures.step],
                group[figures.total] if figures.total else None,
                tuple((split, group[place]) for split, place in figures.losses),
                [split for split, _ in figures.losses],
                epoch_in(line) is not None,
            )
        )


def _is_plain(line: str, start: int, end: int, number: re.Pattern[str]) -> bool:
    """Whether a figure is a plain number, and nothing after it can be taken for more of it."""
    return number.fullmatch(line, start, end) is not None and line[end] not in MAY_GO_ON


def _pattern(line: str, places: Sequence[tuple[int, int, re.Pattern[str]]]) -> re.Pattern[str]:
    pieces, last = [], 0
    for start, end, number in places:
        pieces += [_text(line[last:start]), f"({number.pattern})"]
        last = end
    return re.compile("".join([*pieces, _text(line[last:])]))


def _text(text: str) -> str:
    """A pattern for the text between two figures; blanks beside them and all other numbers may differ."""
    stripped = text.strip(" ")
    inner = ANY_NUMBER.join(map(re.escape, NUMBERS.split(stripped)))
    return " *" * text.startswith(" ") + inner + " *" * (text.endswith(" ") and bool(stripped))
