r"""Near loops: the same line but for a number or a name, or each copy a little longer.

Good code has such lines, too: tables, tests, attributes set one after the other. What tells a near loop is that its
variation says nothing: numbers that only count, names that come back from a handful, copies that only grow. A line
whose numbers or names are new each time is content, unless it is run into the limit with one varying number.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MIN_LINES = 8
"""Twice as many copies as an exact loop needs: five or six lines that count are common in unrolled code."""

MAX_LINE_CHARACTERS = 4_000
"""A longer line is no copy among others, and comparing it costs its length."""

STEADY = 0.8
"""Share of the steps from copy to copy that have to be the same: one element in twenty may be wrong, and each wrong one
spoils two steps."""
FEW_NAMES = 0.34
"""Most different values among the copies of a name, as a share of the copies: each comes back twice or more."""
FEW_VALUES = 3
"""So many values are few in any case: in ``MIN_LINES`` lines each of three comes back more than twice on average."""
MAX_VARYING = 2
"""Names that may vary in a line: what varies everywhere is a table of data."""
STEADY_GROWTH = 0.5
"""Share of the steps by which copies grow that have to be the same: less than ``STEADY``, for what is put in may be a
name that is a letter longer, or a number that gets another digit."""
GROWN_CHARACTERS = 8
"""A copy is at most twice as long as the one before, and this number of characters more: the first pieces add that
much to a line that is still short."""
PASSED_OVER = 10
"""One odd line, and one more for each this many lines, may stand among the copies: twice one in twenty."""

_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d]\w*|\d+")


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str


@dataclass(frozen=True, slots=True)
class NearLoop:
    """Lines that say next to nothing new. ``start`` and ``end`` are characters, ``copies`` written lines.

    ``predictable`` says that every copy follows from the ones before it; else only one number varies, freely.
    """

    start: int
    end: int
    copies: int
    text: str
    agreement: float
    predictable: bool


def find_near(text: str) -> list[NearLoop]:
    """Return the near loops of ``text`` of at least ``MIN_LINES`` lines, longest first. Blank lines are skipped.

    The last of the lines may be torn.
    """
    lines = _written_lines(text)
    # A last line without its end may be cut in the middle of a copy.
    torn = lines.pop() if lines and not text.endswith("\n") else None
    whole = MIN_LINES - (torn is not None)
    if len(lines) < whole:
        return []
    loops = [
        loop
        for shape, judge in ((_counted_shape, _counting), (_named_shape, _few_names))
        for stretch in _stretches(lines, shape, whole)
        if (loop := judge(stretch)) is not None
    ]
    loops += [loop for stretch in _growing(lines, whole) if (loop := _grown(stretch)) is not None]
    if torn is not None:
        loops = [_with_torn(loop, lines[-1], torn) if loop.end == _end(lines[-1]) else loop for loop in loops]
    # What only has a shape in common with the copies (``ret`` of a ``return``) does not make one line more.
    begun = torn is not None and bool(lines) and _counted_shape(lines[-1].text).startswith(_counted_shape(torn.text))
    enough = [loop for loop in loops if loop.copies + (begun and loop.end >= _end(lines[-1])) >= MIN_LINES]
    return sorted(enough, key=lambda loop: loop.start - loop.end)


def _with_torn(loop: NearLoop, last: _Line, torn: _Line) -> NearLoop:
    """The loop with the beginning of its next copy, if the last line is that."""
    beginning, whole = _named_shape(torn.text.lstrip()), _named_shape(last.text.lstrip())
    belongs = whole.startswith(beginning) or beginning.startswith(whole)
    return replace(loop, end=_end(torn)) if belongs else loop


def _end(line: _Line) -> int:
    return line.start + len(line.text)


def _written_lines(text: str) -> list[_Line]:
    lines = []
    start = 0
    for line in text.splitlines(keepends=True):
        if line.strip():
            lines.append(_Line(start, line.rstrip()))
        start += len(line)
    return lines


def _counted_shape(line: str) -> str:
    return _NUMBER.sub("0", line)


def _named_shape(line: str) -> str:
    return _WORD.sub("w", line)


def _stretches(lines: Sequence[_Line], shape: Callable[[str], str], at_least: int) -> Iterator[Sequence[_Line]]:
    """Neighbouring lines of one shape.

    A single odd line among them is passed over, one and one in ten at most.
    """
    shapes = [shape(line.text) if len(line.text) <= MAX_LINE_CHARACTERS else None for line in lines]
    first = 0
    while first < len(lines):
        last = first
        members = [first]
        for at in range(first + 1, len(lines)):
            if shapes[at] is not None and shapes[at] == shapes[first]:
                members.append(at)
                last = at
            elif at - last > 1 or at - first + 1 - len(members) > 1 + len(members) // PASSED_OVER:
                break
        if len(members) >= at_least and shapes[first] is not None:
            yield [lines[at] for at in members]
            first = last + 1
        else:
            first += 1


def _counting(stretch: Sequence[_Line]) -> NearLoop | None:
    """Lines that are the same but for numbers that go up or down by the same step, or for one number."""
    slots = list(zip(*([int(n[-18:]) for n in _NUMBER.findall(line.text)] for line in stretch), strict=True))
    varying = [values for values in slots if len(set(values)) > 1]
    if not varying:
        return None  # an exact loop, or one with interruptions
    steady = [_steadiness(values) for values in varying]
    predictable = min(steady) >= STEADY
    if not predictable and len(varying) > 1:
        return None
    return _loop(stretch, min(steady), predictable=predictable)


def _steadiness(values: Sequence[int]) -> float:
    """Share of the steps that are the commonest one."""
    steps = Counter(later - earlier for earlier, later in pairwise(values))
    return steps.most_common(1)[0][1] / (len(values) - 1)


def _few_names(stretch: Sequence[_Line]) -> NearLoop | None:
    """Lines that are the same but for names (and numbers) that keep coming back."""
    words = [_WORD.findall(line.text) for line in stretch]
    varying = [values for values in zip(*words, strict=True) if len(set(values)) > 1]
    few = max(FEW_VALUES, FEW_NAMES * len(stretch))
    if not 1 <= len(varying) <= MAX_VARYING or max(len(set(values)) for values in varying) > few:
        return None
    if all(Counter(values).most_common(1)[0][1] >= STEADY * len(stretch) for values in varying):
        return None  # one line with interruptions
    return _loop(stretch, 1.0, predictable=True)


def _growing(lines: Sequence[_Line], at_least: int) -> Iterator[Sequence[_Line]]:
    """Neighbouring lines each of which is the one before it with a piece put in."""
    first = 0
    while first < len(lines) - 1:
        last = first
        while last + 1 < len(lines) and _grows(lines[last].text, lines[last + 1].text):
            last += 1
        if last - first + 1 >= at_least:
            yield lines[first : last + 1]
        first = max(last, first + 1)


def _grows(shorter: str, longer: str) -> bool:
    if not len(shorter) < len(longer) <= min(MAX_LINE_CHARACTERS, 2 * len(shorter) + GROWN_CHARACTERS):
        return False
    same = next((i for i, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    return longer.endswith(shorter[same:])


def _grown(stretch: Sequence[_Line]) -> NearLoop | None:
    """Lines that grow by about as much each time."""
    steps = Counter(len(later.text) - len(earlier.text) for earlier, later in pairwise(stretch))
    steady = steps.most_common(1)[0][1] / (len(stretch) - 1)
    return _loop(stretch, 1.0, predictable=True) if steady >= STEADY_GROWTH else None


def _loop(stretch: Sequence[_Line], agreement: float, *, predictable: bool) -> NearLoop:
    return NearLoop(
        start=stretch[0].start,
        end=_end(stretch[-1]),
        copies=len(stretch),
        text=stretch[0].text + "\n",
        agreement=agreement,
        predictable=predictable,
    )
