r"""How a text ends: whether its last lines bring anything that the lines before them did not say.

Nearly all loops of real models run to the last character, or to the cut, and many have copies of several lines that
count on (``if n == 13:\n    return 13``), grow (a list with one more number each time), or come back in another order.
No two copies of those are equal, so exact search does not see them. Here each line is asked whether it follows from the
lines before it:

- it stood before, white space at its ends aside;
- it is an earlier line but for its numbers, which went on by as much as they did the last times;
- it is an earlier line with a piece put in.

A tail of such lines is a loop if it is at least one copy longer than what it repeats. A line that brings anything else
(another word, a number that does not count) is content: tests, tables and ladders have one in every copy. Only very
many lines of one shape that run to the cut are a loop whatever their numbers and names, and so are many branches whose
numbers only rise: a model that ended them by itself may have answered.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median_low
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PREDICTED = 0.90
"""Share of the tail's lines that follow from earlier ones: one line in ten may be odd."""

MIN_CHARACTERS = 150
"""As much as any loop needs (see ``loop_criteria``)."""

MIN_LINES = 4
"""Least lines of a tail that only repeats: two copies of a whole function have more."""

MIN_SHORT_LINES, MIN_SHORT_CHARACTERS = 12, 64
"""So many lines may be shorter in all: a dozen times ``exit()``."""

MIN_COPIES = 3
MIN_COUNTED_COPIES, MIN_COUNTED_LINES = 6, 8
"""Least copies of a tail that repeats, and of one that counts or grows, of several lines and of one: short ladders are
common in code, and seven lines of unrolled code."""

LONG_COPY = 150
"""Characters of a copy that is a loop from the second one on: a function, or a paragraph."""

BEGUN_COPY = 100
"""Characters of a copy that is a loop if the third one is half written."""

IN_ORDER = 0.80
"""Share of the lines of a second copy that come in the order of the first: two calls with the same arguments differ."""

FREE_LINES = 40
"""Lines that are the same but for numbers that vary freely, from which on they are a loop if the text ends in them."""

FREE_NAMES_LINES = 60
"""Lines that are the same but for freely varying names and numbers, from which on they are a loop: assignments and
checks of one shape come in dozens in sound code."""

FIXED_WORDS = 0.50
"""More than this share of the words of such lines stay the same: where fewer do, each line says something."""

RISING_COPIES, LONGEST_STEP = 10, 4
"""Branches that are the same but for numbers that only rise, unevenly, from which on they are a loop if a cut ends
them, and the lines that one has at most."""

RECENT = 3
"""Steps that a number may take again: a copy may have several lines of one shape."""

MAX_LINE_CHARACTERS = 4_000
"""A longer line is no copy among others, and comparing it costs its length."""

GROWN_CHARACTERS = 8
"""A grown line is at most twice as long as the one before, and this number of characters more."""

SAME_BEGINNING = 0.60
"""Share of a torn last line that is as an earlier line begins: a number may be torn, or a name grow."""

SAME_FIRST = 3
"""Characters that a line begins with, as the line that it may have grown from does."""

Way = Literal["same", "counted", "grown"]

_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"\w+")
_BRANCH = re.compile(r"(?:el)?if\b")
_IMPORT = re.compile(r"(?:import|from)\b")
_CLOSING = re.compile(r"[\s)\]}\"'`,;]*")


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank. ``start`` and ``end`` are characters of the text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Ending:
    """A tail that says nothing new. ``start`` to ``end`` are its characters with the first copy.

    ``copy`` are the lines of one copy, the first one, ``copies`` counts it. ``counts`` says whether the copies count,
    grow or vary; else every line stood before.
    """

    start: int
    end: int
    copy: str
    copies: int
    counts: bool
    agreement: float


@dataclass(slots=True)
class _Shape:
    """What is known of the lines that are the same but for their numbers."""

    line: int
    numbers: tuple[int, ...]
    steps: deque[tuple[int, ...]] = field(default_factory=lambda: deque(maxlen=RECENT))
    values: tuple[set[int], ...] = ()

    def follows(self, line: int, numbers: tuple[int, ...]) -> bool:
        """Whether ``numbers`` go on from the last ones.

        One of them does by a step that it took before, the others by one or to a value that they had. Of lines that
        stand side by side it is the last step: what takes one of several there is no count.
        """
        known_steps = list(self.steps)[-1:] if line - self.line == 1 else self.steps
        step = tuple(new - old for new, old in zip(numbers, self.numbers, strict=True))
        taken = [{known[i] for known in known_steps} for i in range(len(step))]
        counted = [by in steps for by, steps in zip(step, taken, strict=True)]
        going_on = any(ok and by for ok, by in zip(counted, step, strict=True))
        return going_on and all(
            ok or number in values for ok, number, values in zip(counted, numbers, self.values, strict=True)
        )

    def take(self, line: int, numbers: tuple[int, ...]) -> None:
        """Remember the numbers of one more line."""
        if self.values:
            self.steps.append(tuple(new - old for new, old in zip(numbers, self.numbers, strict=True)))
        else:
            self.values = tuple(set() for _ in numbers)
        for values, number in zip(self.values, numbers, strict=True):
            values.add(number)
        self.line, self.numbers = line, numbers


def find_ending(text: str, *, was_cut: bool = False) -> Ending | None:
    """Return the tail of ``text`` that says nothing new, with its first copy; None if it ends in something else.

    ``was_cut`` says that a limit cut the text for sure; else only a torn last line shows it.
    """
    lines = list(_written_lines(text))
    torn = lines.pop() if lines and not text.endswith("\n") else None
    if torn is not None and len(torn.text) >= LONG_COPY and any(line.text.startswith(torn.text) for line in lines):
        # So much of one line is a copy, torn or not.
        lines.append(next(replace(torn, text=line.text) for line in lines if line.text.startswith(torn.text)))
        torn = None
    goes_on = torn is None or not lines or _goes_on(torn, lines)
    ending = _repeated(lines, torn, was_cut=was_cut) if goes_on else None
    if ending is None and (was_cut or torn is not None):
        ending = _free_names(lines, torn)
    if ending is None or torn is None:
        return ending
    return replace(ending, end=torn.end)


def _repeated(lines: Sequence[Line], torn: Line | None, *, was_cut: bool) -> Ending | None:
    """The tail of lines that follow from earlier ones, or whose numbers vary freely."""
    ways = _ways(lines)
    ending = None
    # A last line that says something new ends what came before it.
    if ways and ways[-1] is not None:
        ending = _ending(lines, ways, _first_of_tail(ways), torn=torn is not None, was_cut=was_cut)
    return ending or _free(lines) or (_rising(lines) if was_cut or torn is not None else None)


def _written_lines(text: str) -> Iterator[Line]:
    start = 0
    for line in text.splitlines(keepends=True):
        if line.strip():
            yield Line(start, start + len(line.rstrip()), line.strip()[:MAX_LINE_CHARACTERS])
        start += len(line)


def _goes_on(torn: Line, lines: Sequence[Line]) -> bool:
    """Whether the last line may be the beginning of one more copy: a closing bracket ends a table."""
    if _CLOSING.fullmatch(torn.text):
        return any(line.text.startswith(torn.text) for line in lines)
    beginning = _shape(torn.text)
    return any(_alike(beginning, shape) for shape in {_shape(line.text) for line in lines})


def _alike(torn: str, whole: str) -> bool:
    """Whether a torn line may go on as a whole one did: but for a few characters it begins so."""
    same = _common_beginning(torn, whole)
    return same >= SAME_BEGINNING * len(torn) or same >= len(torn) - 2


def _shape(line: str) -> str:
    return _NUMBER.sub("0", line)


def _numbers(line: str) -> tuple[int, ...]:
    return tuple(int(number[-18:]) for number in _NUMBER.findall(line))


def _ways(lines: Sequence[Line]) -> list[tuple[Way, int] | None]:
    """For each line, how it follows from an earlier one and how many lines before that is; None if it does not."""
    seen: dict[str, int] = {}
    shapes: dict[str, _Shape] = {}
    begun: dict[str, int] = {}
    ways: list[tuple[Way, int] | None] = []
    for at, line in enumerate(lines):
        text = line.text
        numbers, shape = _numbers(text), _shape(text)
        known = shapes.get(shape)
        beginning = text[:SAME_FIRST]
        way: tuple[Way, int] | None = None
        if text in seen:
            way = "same", at - seen[text]
        elif known is not None and known.follows(at, numbers):
            way = "counted", at - known.line
        elif beginning in begun and _grows(lines[begun[beginning]].text, text):
            way = "grown", at - begun[beginning]
        ways.append(way)
        seen[text] = begun[beginning] = at
        shapes.setdefault(shape, _Shape(at, numbers)).take(at, numbers)
    return ways


def _grows(shorter: str, longer: str) -> bool:
    if not len(shorter) < len(longer) <= 2 * len(shorter) + GROWN_CHARACTERS:
        return False
    return longer.endswith(shorter[_common_beginning(shorter, longer) :])


def _common_beginning(a: str, b: str) -> int:
    """How many characters both begin with."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _first_of_tail(ways: Sequence[tuple[Way, int] | None]) -> int:
    """The first line of the longest tail of which nearly all lines follow from earlier ones."""
    first, odd = len(ways), 0
    for at in range(len(ways) - 1, -1, -1):
        if ways[at] is None:
            odd += 1
        elif odd <= (1 - PREDICTED) * (len(ways) - at):
            first = at
    return first


def _ending(
    lines: Sequence[Line], ways: Sequence[tuple[Way, int] | None], first: int, *, torn: bool, was_cut: bool
) -> Ending | None:
    """The tail from line ``first`` on, if it is long enough and repeats what stands right before it."""
    tail = [way for way in ways[first:] if way is not None]
    period = median_low([distance for _, distance in tail])
    size = len(lines) - first + torn
    if size < period:
        return None
    begin = max(0, first - period)
    start, end = lines[begin].start, lines[-1].end
    counts = any(way != "same" for way, _ in tail)
    copies = 1 + size // period
    copy = lines[min(begin + period, len(lines)) - 1].end - start
    long_enough = end - lines[first].start >= MIN_CHARACTERS and (size >= MIN_LINES or copy >= LONG_COPY)
    many_short = size >= MIN_SHORT_LINES and end - lines[first].start >= MIN_SHORT_CHARACTERS
    in_order = sum(distance == period for _, distance in tail) >= IN_ORDER * size
    if counts:
        at_end = size % period == 0 and not torn and not was_cut
        enough = copies >= (MIN_COUNTED_LINES if period == 1 else MIN_COUNTED_COPIES)
        enough = enough and not _is_content(lines[begin : begin + period], at_end=at_end)
    else:
        begun = in_order and 2 * size >= 3 * period and copy >= BEGUN_COPY
        enough = copies >= MIN_COPIES or (copy >= LONG_COPY and in_order) or begun
    if not enough or not (long_enough or many_short) or _only_closes(lines[begin:], copies):
        return None
    unit = "\n".join(line.text for line in lines[begin : begin + period]) + "\n"
    return Ending(start, end, unit, copies, counts, len(tail) / size)


def _is_content(copy: Sequence[Line], *, at_end: bool) -> bool:
    """Whether a copy that counts is a row of a table, or a function, and the last one of them is whole."""
    rows = all(line.text.endswith(",") for line in copy)
    return rows or (at_end and any(line.text.startswith(("def ", "class ")) for line in copy))


def _only_closes(tail: Sequence[Line], copies: int) -> bool:
    """Whether the last line is a closing bracket, and not one that every copy has: then a table has ended."""
    last = tail[-1].text
    return _CLOSING.fullmatch(last) is not None and sum(line.text == last for line in tail) < copies - 1


def _free(lines: Sequence[Line]) -> Ending | None:
    """The tail of lines of one shape whose numbers all vary freely, if it is very long."""
    members = _of_one_shape(lines, _shape, FREE_LINES)
    if not members or any(map(_is_steady, zip(*(_numbers(line.text) for line in members), strict=True))):
        return None
    return Ending(members[0].start, members[-1].end, members[0].text + "\n", len(members), True, 1.0)


def _rising(lines: Sequence[Line]) -> Ending | None:
    """The tail of branches that are the same but for numbers that only rise: ``if n % 101 == 0:`` for every prime."""
    for period in range(2, LONGEST_STEP + 1):
        last = lines[-period:]
        if not any(_BRANCH.match(line.text) for line in last):
            continue
        copies = 1
        while _rises(lines[-period * (copies + 1) : -period * copies], lines[-period * copies :][:period]):
            copies += 1
        if copies >= RISING_COPIES:
            first = lines[-period * copies :][:period]
            copy = "\n".join(line.text for line in first) + "\n"
            return Ending(first[0].start, lines[-1].end, copy, copies, True, 1.0)
    return None


def _rises(earlier: Sequence[Line], later: Sequence[Line]) -> bool:
    """Whether the lines are the same but for numbers, of which none falls and one rises."""
    if [_shape(line.text) for line in earlier] != [_shape(line.text) for line in later]:
        return False
    steps = [
        new - old
        for a, b in zip(earlier, later, strict=True)
        for old, new in zip(_numbers(a.text), _numbers(b.text), strict=True)
    ]
    return any(steps) and min(steps) >= 0


def _free_names(lines: Sequence[Line], torn: Line | None) -> Ending | None:
    """The tail of lines that are the same but for a few names and numbers, whatever they are, if it is very long.

    Rows of a table and imports bring something with each name, however many they are.
    """
    members = _of_one_shape(lines, _named_shape, FREE_NAMES_LINES)
    if not members or members[-1].text.endswith(",") or _IMPORT.match(members[-1].text):
        return None
    if torn is not None and not _named_shape(members[-1].text).startswith(_named_shape(torn.text)):
        return None
    words = list(zip(*(_WORD.findall(line.text) for line in members), strict=True))
    fixed = sum(len(set(values)) == 1 for values in words)
    if fixed <= FIXED_WORDS * len(words) or any(map(_count_steadily, words)):
        return None
    return Ending(members[0].start, members[-1].end, members[0].text + "\n", len(members), True, 1.0)


def _of_one_shape(lines: Sequence[Line], shape: Callable[[str], str], at_least: int) -> list[Line]:
    """The lines at the end that have the shape of the last one, nearly all in a row; none if they are too few."""
    if len(lines) < at_least:
        return []
    shapes = [shape(line.text) for line in lines]
    first, odd = len(lines), 0
    for at in range(len(lines) - 1, -1, -1):
        if shapes[at] != shapes[-1]:
            odd += 1
        elif odd <= (1 - PREDICTED) * (len(lines) - at):
            first = at
    members = [line for line, its in zip(lines[first:], shapes[first:], strict=True) if its == shapes[-1]]
    return members if len(members) >= at_least else []


def _named_shape(line: str) -> str:
    return _WORD.sub("w", line)


def _count_steadily(words: Sequence[str]) -> bool:
    return all(map(str.isdecimal, words)) and _is_steady([int(word[-18:]) for word in words])


def _is_steady(values: Sequence[int]) -> bool:
    """Whether most steps from one number to the next are the same, and not none."""
    steps = [new - old for old, new in pairwise(values)]
    commonest = max(set(steps), key=steps.count)
    return commonest != 0 and 2 * steps.count(commonest) > len(steps)
