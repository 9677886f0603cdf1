"""Aligning a sequence to one copy of a loop that wraps round, and finding what that copy is.

An automaton runs round and round the copy: each element that is as the copy has it gains 1, one that is not loses
something, and the automaton may leave the copy and come back to any place in it for a little more, and for each element
in between. The stretch with the highest sum is found by dynamic programming: local alignment (Smith and Waterman 1981)
to a copy that wraps round, as repeats are found in DNA (Benson 1999, "Tandem repeats finder"), with the gap as one
state.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from evalharness.degeneration.batches import Symbols

MAX_ROUNDS = 5
"""How often a copy is mended: most are right after one."""
GROWTH = 8
"""Elements that mending may make a copy longer or shorter by at once; more is another loop."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What an interruption costs, in elements that are as the copy has them, and how many to expect.

    ``changed`` is for one element in place of another, ``interrupted`` for leaving the copy and coming back,
    ``between`` for each element meanwhile. ``rate`` is the share of elements that are not as the copy has them.
    """

    changed: float
    interrupted: float
    between: float
    rate: float

    @property
    def torn(self) -> float:
        """How much a sequence may lose at its end and still be in the loop: two interruptions."""
        return 2 * self.interrupted

    def at_most(self, length: int) -> float:
        """How many strange elements to expect at most in ``length``: three standard deviations above the mean."""
        return float(self.rate * length + 3 * (self.rate * length) ** 0.5)


@dataclass(frozen=True, slots=True)
class Path:
    """Where the automaton went: for each element from ``start`` on its place in the copy, -1 while interrupted."""

    start: int
    places: npt.NDArray[np.int64]
    score: float


def aligned(symbols: Symbols, copy: Symbols, noise: Noise, *, torn: bool) -> Path | None:
    """Return the best path of ``symbols``; None where none of them is in the copy.

    With ``torn`` the sequence was cut, and a path that nearly reaches its end does: its last copy may be spoiled.
    """
    period, total = len(copy), len(symbols)
    twice = np.concatenate((copy, copy))
    gains = {int(symbol): np.where(twice == symbol, 1.0, -noise.changed) for symbol in np.unique(copy)}
    strange = np.full(2 * period, -noise.changed)
    # By diagonals: the one of an element that stands at ``place`` is (place - index) mod period, so that going on to
    # the next element and the next place moves nothing.
    sums = np.full(period, -1.0)
    entered = np.zeros((total, period), dtype=np.bool_)
    begun = np.zeros(total, dtype=np.bool_)
    left = np.full(total, -1, dtype=np.int64)  # the diagonal that was left after this element, if one was
    outside = -1.0
    best, best_at, best_on = 0.0, -1, -1
    for i, symbol in enumerate(symbols.tolist()):
        begun[i] = outside <= 0.0
        enter = max(outside, 0.0)
        np.less_equal(sums, enter, out=entered[i])
        np.maximum(sums, enter, out=sums)
        shift = i % period
        sums += gains.get(symbol, strange)[shift : shift + period]
        on = int(sums.argmax())
        top = float(sums[on])
        if top > best:
            best, best_at, best_on = top, i, on
        outside -= noise.between
        if top - noise.interrupted >= outside:
            outside, left[i] = top - noise.interrupted, on
    if best_at < 0:
        return None
    if torn and sums.max() > max(best - noise.torn, best / 2):
        best, best_at, best_on = float(sums.max()), total - 1, int(sums.argmax())
    return _traced(entered, begun, left, (best_at, best_on), best)


def _traced(
    entered: npt.NDArray[np.bool_],
    begun: npt.NDArray[np.bool_],
    left: npt.NDArray[np.int64],
    end: tuple[int, int],
    score: float,
) -> Path:
    total, period = entered.shape
    places = np.full(total, -1, dtype=np.int64)
    i, on = end
    while True:
        places[i] = (on + i) % period
        if not entered[i, on]:
            i -= 1
        elif begun[i]:
            return Path(i, places[i : end[0] + 1], score)
        else:
            i -= 1
            while left[i] < 0:
                i -= 1
            on = int(left[i])


def first_guess(symbols: Symbols, period: int, at_least: int) -> Symbols:
    """Return a copy from where ``symbols`` are most like what follows ``period`` later, as if nothing were lost."""
    same = symbols[:-period] == symbols[period:]
    sums = np.concatenate(([0], np.cumsum(same)))
    window = min(max(2 * period, at_least), len(same))
    start = int((sums[window:] - sums[:-window]).argmax())
    return commonest(symbols, Path(start, np.arange(window) % period, 0.0), np.zeros(period, dtype=np.int64))


def mended(symbols: Symbols, copy: Symbols, path: Path, noise: Noise, *, torn: bool) -> tuple[Symbols, Path]:
    """Return the copy that most copies agree with, and its path, from one that some agree with.

    A longer copy has to gain more than it is longer by: it says that much itself.
    """
    for _ in range(MAX_ROUNDS):
        for other in (_commonest_route(symbols, path, copy), commonest(symbols, path, copy)):
            other_path = None
            if other is not None and not np.array_equal(other, copy):
                other_path = aligned(symbols, other, noise, torn=torn)
            if other is not None and other_path is not None and other_path.score - len(other) > path.score - len(copy):
                copy, path = other, other_path
                break
        else:
            break
    return copy, path


def commonest(symbols: Symbols, path: Path, copy: Symbols) -> Symbols:
    """Return the copy with the commonest element at each place."""
    commonest_copy = copy.copy()
    for place, elements in _counts_by_place(symbols, path).items():
        commonest_copy[place] = elements.most_common(1)[0][0]
    return commonest_copy


def _counts_by_place(symbols: Symbols, path: Path) -> dict[int, Counter[int]]:
    """How often each element stands at each place."""
    seen: dict[int, Counter[int]] = defaultdict(Counter)
    for place, element in zip(path.places.tolist(), symbols[path.start :].tolist(), strict=False):
        if place >= 0:
            seen[place][element] += 1
    return seen


def _commonest_route(symbols: Symbols, path: Path, copy: Symbols) -> Symbols | None:
    """The copy with, after each place, the commonest way on; None where that does not lead round.

    So a place that most copies leave out is lost, and what most copies have in between is put in.
    """
    ways: dict[int, Counter[tuple[int, tuple[int, ...]]]] = defaultdict(Counter)
    last = int(path.places[0])
    between: list[int] = []
    for place, element in zip(path.places[1:].tolist(), symbols[path.start + 1 :].tolist(), strict=False):
        if place < 0:
            between.append(element)
        else:
            ways[last][place, tuple(between)] += 1
            last, between = place, []
    seen = _counts_by_place(symbols, path)
    first = place = max(seen, key=lambda it: seen[it].total())
    elements: list[int] = []
    while len(elements) <= len(copy) + GROWTH and place in ways:
        elements.append(seen[place].most_common(1)[0][0])
        (place, put_in), _ = ways[place].most_common(1)[0]
        elements += put_in
        if place == first:
            return np.array(elements, dtype=np.int64) if abs(len(elements) - len(copy)) <= GROWTH else None
    return None
