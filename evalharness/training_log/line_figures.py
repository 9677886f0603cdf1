"""The figures of a line, by the words before them: ``it 100 | val nll 5.92`` has ``it`` and ``val nll``."""

from __future__ import annotations

import re

from evalharness.training_log.figure_names import loss_name, names_no_split, says_split
from evalharness.training_log.split_of_line import WORDS_OF_SPLITS, split_of_line

FIGURE = r"([-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?(?:[eE][-+]?\d+|[kKM]\b)?|nan|NaN|inf)"
PLAIN_FIRST = r"([-+]?+(?:\d++(?!,)|\d{1,3}(?:,\d{3})++|\d++)(?:\.\d*+)?+(?:[eE][-+]?+\d++|[kKM]\b)?+|nan|NaN|inf)"
"""The same, tried first as a number without commas, as most are, and never again with less of it."""
NUMBER = re.compile(rf"(?<![\w.]){FIGURE}(?![\w%]|[.,]\d)")
"""A number with a decimal comma is none: ``5,90`` is neither 5 nor 590."""
MOMENT = re.compile(r"\d{4}([-/])\d\d\1\d\d[T ]?|\d\d?([/.])\d\d?\2\d{4}\b|\d\d?:\d\d:\d\d(?:[.,]\d+)?")
"""A date or a time of day: its numbers are no figures."""
PLACE_IN_CODE = re.compile(r"(?:^[IWEF]\d{4} \S+ +\d+ )?\b[\w/.]+\.(?:py|cc|cpp|cu|rs|jl|go):\d+")
"""Where in code a line was logged: ``train.py:88``, and what glog writes before it."""
BREAK = re.compile(r"[^\w\s\"'`*~>/#%&.-]|->| - |\t")
"""What stands between the name of a figure and what comes before it: a sign, such as a bar, a bracket or a bullet."""
OF_HOW_MANY = re.compile(rf"\s*(?:/|of)\s*({FIGURE})(?![\w.,]*\d)")
"""``200/2983`` and ``200 of 2983``."""
WRAPPED = re.compile(r"\b(?:tensor|array|np\.\w+|float\d*|decimal)\((?=[-+\d.ni])", re.IGNORECASE)
"""What a number stands in if a loop prints it without ``.item()``."""
BESIDE_A_NAME = " \t\"'`*:=~→>-/#"
FIRST = "first figure of a line"
"""The name of a number that has none: ``100 train 5.9``."""
DONE = "done of a number"
"""The name of one that has none and is followed by how many there are: ``200/2983 batches``."""
ALL_OF = "all of {}"
"""The name of how many there are, by that of how many are done."""
EPOCHS_DONE = {DONE: "epoch", ALL_OF.format(DONE): ALL_OF.format("epoch")}
"""Of two such numbers the first counts epochs: ``[2/10][300/500]``."""
OF_A_TOTAL = ALL_OF.format("")
ARROWS = frozenset(("->", "=>", "→"))
RANGES = frozenset(("-", "–", "to", "..", "..."))
"""Between two whole numbers: ``steps 1-100`` end at the second. Behind an arrow stands what a figure is now."""
BAR_BEHIND = re.compile(r"(?:^|[^\w\s/ .-])([^|]*[a-zA-Z])\s*\|\s*$")
"""``train CrossEntropyLoss |  5.9``: a name, a bar and its number."""
PARENTHESES = re.compile(r"\s*\(([a-zA-Z /]+)\)$")
BITS_BEHIND = re.compile(r"\s*bits?\b(?:\s*(?:/|per)\s*([a-z]+))?")
"""The unit of a number: ``9.36 bits/token``."""
UNIT_BEHIND = re.compile(r"\s*(nats?|tok(?:en)?s?)\b(?!/s)")
ANY_NUMBER = r"[-+]?\d[\d.,]*(?:[eE][-+]?\d+)?"
SPLIT = re.compile(rf"(?<![\w.]){ANY_NUMBER}")
MOST_SHAPES = 6
"""A loop prints lines of a few shapes."""


def figures(line: str) -> dict[str, str]:
    """The numbers of a line by the names before them; of two with one name the first."""
    return {name: line[start:end] for name, (start, end) in places_of(line).items()}


class LineFigures:
    """The same for line after line: one that is like an earlier one is read by a pattern, in a third of the time.

    ``told`` is the name of the training loss that the user gave: on a line of a validation it gets its word as well.
    """

    def __init__(self, told: str | None = None) -> None:
        self.told = told if told and not says_split(told) else None
        self._shapes: list[tuple[re.Pattern[str], tuple[str, ...]]] = []

    def of(self, line: str) -> dict[str, str]:
        """The figures of a line, as :func:`figures` has them."""
        return dict(zip(*self.names_and_texts(line), strict=True))

    def names_and_texts(self, line: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The same as two rows: lines of one shape have the same names."""
        for pattern, names in self._shapes:
            if match := pattern.fullmatch(line):
                return names, match.groups()
        places = places_of(line, self.told)
        if places and len(self._shapes) < MOST_SHAPES:
            self._shapes.append((_shape(line, [*places.values()]), tuple(places)))
        return tuple(places), tuple(line[start:end] for start, end in places.values())


def places_of(line: str, told: str | None = None) -> dict[str, tuple[int, int]]:
    """Where each figure stands, by its name; a loss that has no split of its own has that of the line."""
    lower = line.lower()
    may_name_split = any(word in lower for word in WORDS_OF_SPLITS)
    may_be_bits = "bit" in lower
    may_have_unit = "nat" in lower or "tok" in lower
    line = _without_other_numbers(line)
    places: dict[str, tuple[int, int]] = {}
    last, all_of, name = 0, -1, ""
    for match in NUMBER.finditer(line):
        if match.start() == all_of:
            last = match.end()
            continue
        between = line[last : match.start()]
        before = between.strip(BESIDE_A_NAME)
        last = match.end()
        if name in places and places[name][1] + len(between) == match.start() and _goes_on(line, places[name], match):
            places[name] = match.span()
            continue
        name = _name(before) if before else ""
        if not name and may_have_unit and not any(map(loss_name, places)):
            name = _name_behind(lower, last)
        of_how_many = OF_HOW_MANY.match(line, last)
        if name[:1].isalpha() or of_how_many or (not places and not name):
            name = name or (DONE if of_how_many else FIRST)
            name += _unit_behind(lower, last) if may_be_bits else ""
            is_whole = name == DONE and of_how_many is not None and of_how_many[1] == match[0]
            if (
                may_name_split
                and (is_whole or name == told or names_no_split(name))
                and (split := split_of_line(lower, match.start()))
            ):
                name = f"{split} {name}"  # of 50/50 batches of an evaluation none is a step
            if name == DONE and DONE in places:
                places = {EPOCHS_DONE.get(of, of): place for of, place in places.items()}
            places.setdefault(name, match.span())
        if of_how_many:
            all_of = of_how_many.start(1)
            places.setdefault(ALL_OF.format(name), of_how_many.span(1))
    return places


def _goes_on(line: str, place: tuple[int, int], match: re.Match[str]) -> bool:
    """Whether a number is the end of a range, or the new value, of the figure right before it."""
    start, between = line[slice(*place)], line[place[1] : match.start()].strip()
    if between in ARROWS:
        return True
    return between in RANGES and start.isdecimal() and match[0].isdecimal() and int(start) < int(match[0])


def _name(before: str) -> str:
    """The name at the end of the text before a number; what stands in parentheses is more of it: ``loss (bits):``."""
    name = BREAK.split(before)[-1].strip(BESIDE_A_NAME)
    if not name and before[-1] == ")":
        name = BREAK.split(PARENTHESES.sub(r" \1", before))[-1].strip(BESIDE_A_NAME)
    if not name and (barred := BAR_BEHIND.search(before)) and loss_name(barred[1]):
        name = barred[1].strip(BESIDE_A_NAME)
    return name


def _unit_behind(line: str, end: int) -> str:
    """What a name lacks if the unit stands behind the number: `` bits per token``."""
    match = BITS_BEHIND.match(line, end)
    return f" bits per {match[1] or 'token'}" if match else ""


def _name_behind(line: str, end: int) -> str:
    """What a number counts that has no name before it: ``8.12 nats``, ``0.5M tok``."""
    match = UNIT_BEHIND.match(line, end)
    return "" if match is None else "nats" if match[1].startswith("nat") else "tokens"


def _without_other_numbers(line: str) -> str:
    """The line with blanks for dates, times of day and what a number stands in, so that places stay."""
    if ":" in line:
        line = PLACE_IN_CODE.sub(_blanks, line)
    if ":" in line or "-" in line or "/" in line:
        line = MOMENT.sub(_blanks, line)
    return WRAPPED.sub(_blanks, line) if "(" in line else line


def _blanks(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _shape(line: str, places: list[tuple[int, int]]) -> re.Pattern[str]:
    """A pattern of lines that differ from this one in their numbers and blanks alone, with a group for each figure."""
    pieces, last = [], 0
    for start, end in places:
        pieces += [_text(line[last:start]), PLAIN_FIRST]
        last = end
    return re.compile("".join([*pieces, _text(line[last:])]))


def _text(text: str) -> str:
    parts = (r"\s++".join(map(re.escape, re.split(r"\s+", part))) for part in SPLIT.split(text))
    return ANY_NUMBER.join(parts)
