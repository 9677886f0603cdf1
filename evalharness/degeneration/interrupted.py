"""Loops with something else inside now and then: one element in twenty changed, lost or put in.

Exact search sees only the stretches between two interruptions. Here the distances at which stretches stand again give
the likely periods, and one copy is aligned to the sequence round and round (see
:mod:`evalharness.degeneration.alignment`). The copy is what most copies have at each place, so that one spoiled copy
spoils nothing, neither where the loop begins nor what it is called.

What tells a loop from forty functions of one shape, which repeat as much of themselves: what varies in those varies at
the same places in every copy, and interruptions fall anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evalharness.degeneration.alignment import Noise, Path, aligned, first_guess, mended
from evalharness.degeneration.batches import Symbols, as_symbols
from evalharness.degeneration.loops import MAX_TOKEN_PERIOD, Repetition, hashes_of_stretches

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_COPIES = 5
"""One more than an exact loop needs: with four copies that differ here and there, much code of one shape is a loop."""

OF_TOKENS = Noise(changed=2.5, interrupted=3.0, between=0.25, rate=0.07)
"""Interruptions among tokens, or words and signs. One in twenty is changed, and what is changed runs into what stands
beside it often enough that 0.07 are not as the copy has them. The costs are the logarithm of the odds that an element
is in a loop (0.95 are as the copy has them, and of code at its likeliest distance about 0.4), in units of the gain."""

OF_CHARACTERS = Noise(changed=2.5, interrupted=3.0, between=0.5, rate=0.15)
"""The same among characters: a changed token is several of them."""

OF_BLANKS = Noise(changed=4.0, interrupted=4.5, between=0.5, rate=0.11)
"""The same where each blank is one element: a token of them is four or eight, so interruptions are rarer."""

_VOTING = (2, 4, 8)
"""Elements that vote for a period by the distance to where they stand next. Short ones survive more changed elements
(0.95**4 = 0.81 of the pairs are whole twice), long ones are less often the same within one copy."""
_MIN_VOTES = 12
"""Of five copies in 48 elements 38 stand next one copy on, and of stretches of eight 0.44 (0.95**16) are whole twice:
about 17."""
_VOTED = 4
_CANDIDATES = 6
"""Distances of each width, and periods of all, that are gone on with. The period's multiples are among the first; more
would only cost time."""

_LINKED = 3
_UNLINKED_COSTS = 0.75
MIN_LINKED = 0.4
"""A likely loop has a stretch in which three elements in a row stand again a period on or back. Each that does gains 1,
each that does not costs ``_UNLINKED_COSTS``, and the sum is this share of the least length: a coarse sieve, which only
saves aligning. One changed element in twenty leaves 0.75."""

_GUESSED_FROM = 32
"""Elements that a copy is first guessed from, at least: one interruption does not make a copy of one element."""
LONGEST = 8_192
"""Elements that are searched, from the end back: aligning costs some 100 µs an element, and what runs into the limit
is at the end."""

_REACH = 512
"""Elements beyond a linked stretch that are aligned, too."""

MAX_VARYING = 0.4
"""Share of what is not as the copy has it that may stand at places where half of the copies or more have something
else. In noise about 0.1 with five copies and less with more; in a shape that is filled in, nearly all of it."""

FEW_STRANGE = 0.04
"""Up to this share of a loop that is not as the copy has it, it does not matter where that is: one wrong element in the
copy of a long loop stands at the same place every time."""

_SAME = 0.9
"""Share of a copy that equals itself turned by some way, from which on the period is that way and not the copy."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A loop with interruptions.

    ``copy`` is what most copies have, turned so that it begins where the loop does. ``agreement`` is the share of the
    loop's elements that are as the copy has them, ``whole`` the share of its copies that are that altogether. ``score``
    says how much the loop explains: what its path gains, less the copy.
    """

    run: Repetition
    copy: tuple[int, ...]
    agreement: float
    whole: float
    score: float


def find_interrupted(
    sequence: Sequence[int] | str,
    *,
    min_length: int,
    max_period: int = MAX_TOKEN_PERIOD,
    noise: Noise = OF_TOKENS,
    torn: bool = True,
    min_linked: float = MIN_LINKED,
) -> list[Interrupted]:
    """Return the loop with interruptions for each likely period that has one, the one that explains most first.

    Of a sequence of more than ``LONGEST`` elements the end is searched. ``run.length`` is from the loop's first element
    to its last, interruptions included. Loops without interruptions are
    found as well, with an agreement of 1.0. With ``torn`` a loop that nearly reaches the end of the sequence does.
    """
    whole = as_symbols(sequence)
    before = max(0, len(whole) - LONGEST)
    symbols = whole[before:]
    if len(symbols) < min_length:
        return []
    loops = []
    for period, start, end in _likely(symbols, max_period, min_linked * min_length):
        loop = _around(symbols, period, (start, end), noise, torn=torn)
        if loop is not None and loop.run.length >= max(min_length, MIN_COPIES * loop.run.period):
            run = replace(loop.run, onset=loop.run.onset + before)
            loops.append(replace(loop, run=run))
    return sorted(loops, key=lambda loop: -loop.score)


def _likely(symbols: Symbols, max_period: int, least_gain: float) -> list[tuple[int, int, int]]:
    """Periods, each with the stretch that is linked over it."""
    hashes = hashes_of_stretches(symbols, _LINKED)
    candidates = []
    for period in _common_distances(symbols, max_period):
        start, end, gain = _heaviest(np.where(_linked(hashes, period), 1.0, -_UNLINKED_COSTS))
        end += _LINKED - 1
        if gain >= least_gain and end - start >= 2 * period:
            candidates.append((gain, period, start, end))
    return [(period, start, end) for _, period, start, end in sorted(candidates, reverse=True)[:_CANDIDATES]]


def _common_distances(symbols: Symbols, max_period: int) -> list[int]:
    """The distances at which most stretches stand next, of stretches of several widths."""
    chosen: set[int] = set()
    for width in _VOTING:
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
    """First and last-plus-one position of the stretch with the largest sum, and that sum (Bentley 1984)."""
    sums = np.concatenate(([0.0], np.cumsum(weights)))
    gains = sums - np.minimum.accumulate(sums)
    end = int(gains.argmax())
    lowest = sums[: end + 1]
    return end - int(lowest[::-1].argmin()), end, float(gains[end])


def _around(symbols: Symbols, period: int, linked: tuple[int, int], noise: Noise, *, torn: bool) -> Interrupted | None:
    start, end = linked
    copy = first_guess(symbols[start:end], period, _GUESSED_FROM)
    reach = max(_REACH, 2 * period)
    first, last = max(0, start - reach), min(len(symbols), end + reach)
    symbols, torn = symbols[first:last], torn and last == len(symbols)
    path = aligned(symbols, copy, noise, torn=torn)
    if path is None:
        return None
    copy, path = mended(symbols, copy, path, noise, torn=torn)
    return None if _repeats_itself(copy) else _judged(symbols, path, copy, noise, first)


def _repeats_itself(copy: Symbols) -> bool:
    """Whether the copy is itself several copies of something shorter, but for a few elements."""
    shifts = range(1, len(copy) // 2 + 1)
    return any(np.count_nonzero(copy == np.roll(copy, shift)) >= _SAME * len(copy) for shift in shifts)


def _judged(symbols: Symbols, path: Path, copy: Symbols, noise: Noise, offset: int) -> Interrupted | None:
    """The loop along ``path``; None where too much of it is not as the copy has it, or always at the same places."""
    period, length = len(copy), len(path.places)
    elements = symbols[path.start : path.start + length]
    as_copied = (path.places >= 0) & (elements == copy[path.places])
    hits = np.bincount(path.places[as_copied], minlength=period)
    copies = max(length / period, float(hits.max()))
    missed = np.maximum(0.0, copies - hits)
    varying = float(missed[hits < copies / 2].sum())
    strange = length - int(hits.sum())
    filled_in = strange > FEW_STRANGE * length and varying > max(1.0, MAX_VARYING * float(missed.sum()))
    if strange > noise.at_most(length) or filled_in:
        return None
    return Interrupted(
        run=Repetition(period, offset + path.start, length),
        copy=tuple(np.roll(copy, -int(path.places[0])).tolist()),
        agreement=float(as_copied.mean()),
        whole=_whole(path.places, as_copied, period),
        score=path.score - period,
    )


def _whole(places: npt.NDArray[np.int64], as_copied: npt.NDArray[np.bool_], period: int) -> float:
    """Share of the copies, counted from the loop's first element, that have nothing strange in them."""
    if len(places) < period:
        return 0.0
    in_order = as_copied.copy()
    in_order[1:] &= (places[1:] - places[:-1]) % period == 1 % period
    sums = np.concatenate(([0], np.cumsum(in_order)))
    firsts = np.flatnonzero(places[: len(places) - period + 1] == places[0])
    return float(np.count_nonzero(sums[firsts + period] - sums[firsts] == period) / (len(places) // period))
