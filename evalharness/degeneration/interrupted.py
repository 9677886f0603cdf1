"""Loops with something else inside now and then: one element in twenty changed, lost or put in.

Exact search sees only the stretches between two interruptions. Here a loop is what an automaton accepts that runs round
and round one copy: each element that is as the copy has it gains 1, one that is not loses ``_CHANGED``, and the
automaton may leave the copy and come back to any place in it for ``_INTERRUPTED`` and a little for each element in
between. The stretch with the highest sum is found by dynamic programming: local alignment (Smith and Waterman 1981) to
a copy that wraps round, as in finding tandem repeats in DNA (Benson 1999), with the gap as one state. The copy itself
is then what most copies have at each place, so that one spoiled copy spoils nothing, and the search is made once more.

What tells a loop from forty functions of one shape, which gain as much: what varies in those varies at the same places
in every copy, and interruptions fall anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collections import Counter, defaultdict
import numpy as np
import numpy.typing as npt

from evalharness.degeneration.batches import Symbols, as_symbols
from evalharness.degeneration.loops import MAX_TOKEN_PERIOD, Repetition, hashes_of_stretches

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_COPIES = 5
_VOTERS = (2, 4, 8)
_MIN_VOTES = 12
_VOTED = 3
_LINKED = 3
_UNLINKED = 0.75
MIN_LINKED = 0.4
_CANDIDATES = 4

_CHANGED = 2.5
_INTERRUPTED = 3.0
_BETWEEN = 0.5
_TORN = 2 * _INTERRUPTED
_PASSES = 3
_GROWTH = 8
_SEEN = 32
_REACH = 512

MAX_VARYING = 0.5
_SAME = 0.8


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A loop with interruptions.

    ``copy`` is what most copies have, ``run.period`` elements. ``agreement`` is the share of the loop's elements that
    are as the copy has them, ``whole`` the share of the copies that are it altogether.
    """

    run: Repetition
    copy: tuple[int, ...]
    agreement: float
    whole: float
    score: float


def find_interrupted(
    sequence: Sequence[int] | str, *, min_length: int, max_period: int = MAX_TOKEN_PERIOD, rate: float = 0.07, torn: bool = True, min_linked: float = MIN_LINKED
) -> list[Interrupted]:
    """Return the best loop with interruptions for each likely period that has one, best first.

    ``run.length`` is from the loop's first element to its last, interruptions included. Loops without interruptions are
    found as well, with an agreement of 1.0. The best is the one that says most: what it gains, less its copy.
    """
    symbols = as_symbols(sequence)
    if len(symbols) < min_length:
        return []
    found = []
    for period, start, end in _likely(symbols, max_period, min_linked * min_length):
        loop = _within(symbols[start:end], period, start, rate, torn and end == len(symbols))
        if loop is not None and loop.run.length >= max(min_length, MIN_COPIES * period):
            found.append(loop)
    return sorted(found, key=lambda loop: -loop.score)


def _likely(symbols: Symbols, max_period: int, least: float) -> list[tuple[int, int, int]]:
    """Periods and where to look for a loop of each: in which stretches come back, and where most of it is linked."""
    hashes = hashes_of_stretches(symbols, _LINKED)
    gains = []
    for period in _common_distances(symbols, max_period):
        start, end, gain = _heaviest(np.where(_linked(hashes, period), 1.0, -_UNLINKED))
        if gain >= least:
            reach = max(_REACH, 2 * period)
            gains.append((gain, period, max(0, start - reach), min(len(symbols), end + _LINKED + reach)))
    return [where for _, *where in sorted(gains, reverse=True)[:_CANDIDATES]]


def _common_distances(symbols: Symbols, max_period: int) -> list[int]:
    """The distances at which most stretches stand next, of stretches of several widths."""
    chosen: set[int] = set()
    for width in _VOTERS:
        hashes = hashes_of_stretches(symbols, width)
        order = np.argsort(hashes, kind="stable")
        same = hashes[order[1:]] == hashes[order[:-1]]
        distances = (order[1:] - order[:-1])[same]
        votes = np.bincount(distances[distances <= max_period], minlength=1)
        commonest = np.argsort(-votes, kind="stable")[:_VOTED]
        chosen.update(commonest[votes[commonest] >= _MIN_VOTES].tolist())
    return sorted(chosen)


def _linked(hashes: npt.NDArray[np.uint64], period: int) -> npt.NDArray[np.bool_]:
    """Whether the stretch at each position stands again about ``period`` elements further on or back.

    About: an element that was lost or put in shifts what comes after it.
    """
    linked = np.zeros(len(hashes), dtype=np.bool_)
    slack = min(3, period // 8)
    for distance in range(period - slack, min(period + slack, len(hashes) - 1) + 1):
        same = hashes[distance:] == hashes[:-distance]
        linked[:-distance] |= same
        linked[distance:] |= same
    return linked


def _heaviest(weights: npt.NDArray[np.float64]) -> tuple[int, int, float]:
    """First and last-plus-one position of the stretch with the largest sum, and that (Bentley 1984)."""
    sums = np.concatenate(([0.0], np.cumsum(weights)))
    gains = sums - np.minimum.accumulate(sums)
    end = int(gains.argmax())
    lowest = sums[: end + 1]
    return end - int(lowest[::-1].argmin()), end, float(gains[end])


def _within(symbols: Symbols, period: int, offset: int, rate: float, torn: bool) -> Interrupted | None:
    if len(symbols) < 3 * period:
        return None
    copy = _commonest(symbols, _first_guess(symbols, period), np.zeros(period, dtype=np.int64))
    path = _aligned(symbols, copy, torn)
    for _ in range(_PASSES if path is not None else 0):
        better = _better(symbols, copy, path, torn)
        if better is None:
            break
        copy, path = better
    if path is None or _root(copy) < len(copy):
        return None
    return _described(symbols, path, copy, offset, rate)


def _better(symbols: Symbols, copy: Symbols, path: _Path, torn: bool) -> tuple[Symbols, _Path] | None:
    """A copy that most copies agree with more, and its path; None where the one there is the best."""
    for other in (_way_round(symbols, path, copy), _commonest(symbols, path, copy)):
        if other is not None and not np.array_equal(other, copy):
            found = _aligned(symbols, other, torn)
            if found is not None and found.score - len(other) > path.score - len(copy):
                return other, found
    return None


def _first_guess(symbols: Symbols, period: int) -> _Path:
    """The stretch that is most like what follows it, as if nothing were lost or put in there."""
    same = symbols[:-period] == symbols[period:]
    sums = np.concatenate(([0], np.cumsum(same)))
    window = min(max(2 * period, _SEEN), len(same))
    start = int((sums[window:] - sums[:-window]).argmax())
    return _Path(start, np.arange(window) % period, 0.0)


@dataclass(frozen=True, slots=True)
class _Path:
    """Where the automaton went: for each element from ``start`` on its place in the copy, -1 while interrupted."""

    start: int
    places: npt.NDArray[np.int64]
    score: float


def _aligned(symbols: Symbols, copy: Symbols, torn: bool) -> _Path | None:
    period, total = len(copy), len(symbols)
    twice = np.concatenate((copy, copy))
    gains = {int(s): np.where(twice == s, 1.0, -_CHANGED) for s in np.unique(copy)}
    strange = np.full(2 * period, -_CHANGED)
    # Diagonals, not places: the one of an element that stands at ``place`` is (place - index) mod period.
    sums = np.full(period, -1.0)
    entered = np.zeros((total, period), dtype=np.bool_)
    left = np.empty(total, dtype=np.int64)  # the diagonal that an interruption began on, -1 where it goes on
    best, best_at, best_on, outside = 0.0, -1, -1, -1.0
    fresh = np.zeros(total, dtype=np.bool_)
    for i, symbol in enumerate(symbols.tolist()):
        enter = outside
        if enter <= 0.0:
            enter = 0.0
            fresh[i] = True
        np.less_equal(sums, enter, out=entered[i])
        np.maximum(sums, enter, out=sums)
        shift = i % period
        sums += gains.get(symbol, strange)[shift : shift + period]
        on = int(sums.argmax())
        top = float(sums[on])
        if top > best:
            best, best_at, best_on = top, i, on
        outside -= _BETWEEN
        left[i] = -1
        if top - _INTERRUPTED >= outside:
            outside, left[i] = top - _INTERRUPTED, on
    if best_at < 0:
        return None
    if torn and float(sums.max()) > max(best - _TORN, best / 2):
        best, best_at, best_on = float(sums.max()), total - 1, int(sums.argmax())
    places = np.full(total, -1, dtype=np.int64)
    i, on = best_at, best_on
    while True:
        places[i] = (on + i) % period
        if not entered[i, on]:
            i -= 1
            continue
        if fresh[i]:
            break
        i -= 1
        while left[i] < 0:
            i -= 1
        on = int(left[i])
    return _Path(i, places[i : best_at + 1], best)


def _commonest(symbols: Symbols, path: _Path, copy: Symbols) -> Symbols:
    """The copy with the commonest element at each place."""
    found = copy.copy()
    for place, elements in _seen(symbols, path).items():
        found[place] = elements.most_common(1)[0][0]
    return found


def _seen(symbols: Symbols, path: _Path) -> dict[int, Counter[int]]:
    """How often each element stands at each place."""
    seen: dict[int, Counter[int]] = defaultdict(Counter)
    for place, element in zip(path.places.tolist(), symbols[path.start :].tolist(), strict=False):
        if place >= 0:
            seen[place][element] += 1
    return seen


def _way_round(symbols: Symbols, path: _Path, copy: Symbols) -> Symbols | None:
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
    if not ways:
        return None
    seen = _seen(symbols, path)
    first = place = max(seen, key=lambda it: seen[it].total())
    found: list[int] = []
    while len(found) <= len(copy) + _GROWTH and place in ways:
        found.append(seen[place].most_common(1)[0][0])
        (place, put_in), _ = ways[place].most_common(1)[0]
        found += put_in
        if place == first:
            return np.array(found, dtype=np.int64)
    return None


def _root(copy: Symbols) -> int:
    """The shortest period of the copy, taken round, but for a few elements."""
    period = len(copy)
    for shift in range(1, period // 2 + 1):
        if np.count_nonzero(copy == np.roll(copy, shift)) >= _SAME * period and period>=2*shift:
            return shift
    return period


def _described(symbols: Symbols, path: _Path, copy: Symbols, offset: int, rate: float) -> Interrupted | None:
    period, length = len(copy), len(path.places)
    elements = symbols[path.start : path.start + length]
    hit = (path.places >= 0) & (elements == copy[path.places])
    hits = np.bincount(path.places[hit], minlength=period)
    times = max(length / period, float(hits.max()))
    deviations = np.maximum(0.0, times - hits)
    varying = float(deviations[hits < 0.5 * times].sum())
    strange = length - int(hits.sum())
    if strange > rate * length + 3 * (rate * length) ** 0.5 or varying > max(1.0,MAX_VARYING * float(deviations.sum())):
        return None
    natural = hit & np.concatenate(([True], (path.places[1:] - path.places[:-1]) % period == (1 % period)))
    sums = np.concatenate(([0], np.cumsum(natural)))
    whole = 0.0
    firsts = np.flatnonzero(path.places[: length - period + 1] == path.places[0])
    if len(firsts):
        whole = float((sums[firsts + period] - sums[firsts] >= period).sum() / (length // period))
    # Turned so that it begins where the loop does.
    turned = np.roll(copy, -int(path.places[0]))
    run = Repetition(period, offset + path.start, length)
    return Interrupted(run, tuple(turned.tolist()), float(hit.mean()), whole, path.score - period)
