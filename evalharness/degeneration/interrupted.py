"""Loops with something else inside now and then: one element in twenty changed, lost or put in.

Exact search sees only the stretches between two interruptions. Here a loop is a stretch in which nearly every three
elements stand again about a period further on or back, *and* in which what follows is nearly always what followed
there before. The second part is what tells it from forty functions of one shape: those repeat as much of themselves,
but what varies in them varies at the same places in every copy, and interruptions fall anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evalharness.degeneration.batches import Symbols, as_symbols
from evalharness.degeneration.loops import MAX_TOKEN_PERIOD, Repetition, hashes_of_stretches

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_COPIES = 5
"""One more than an exact loop needs: with four copies that differ here and there, much code of one shape is a loop."""

_VOTING = 4
"""Elements that vote for a period by the distance to where they stand next; 0.95**8 = 0.66 of them are whole twice."""
_MIN_VOTES = 8
_CANDIDATES = 4
_LINKED = 3
"""Elements that have to stand again a period away; 0.95**3 = 0.86 of them survive one changed element in twenty."""
_REACH = 24
"""Elements beyond the stretch's edges that are asked whether they belong to it: three elements with an interruption in
every other one are not linked."""
_UNLINKED_COSTS = 0.75
"""A stretch pays this for an element that is not linked: it is drawn where three elements in seven are."""

CONTEXT = 8
"""Elements that what follows is predicted from: long enough that a block's own lines seldom share them."""
VARYING_DEVIATIONS = 2
VARYING_SHARE = 0.25
"""What follows a context varies where so many, and more than this share, of its successors are not the commonest one.
Interruptions at 1 in 20 do that to one context in seventy with four copies, and to fewer with more."""
MAX_VARYING = 0.7
"""Share of all that is not the commonest successor which may stand where successors vary: in noise about 0.1, in a
shape that is filled in nearly all of it."""


_SAME = 0.75
"""Share of a copy that equals what is some way further on, from which on the period is that way and not the copy."""
MIN_LINKED = 0.60
MIN_AGREEMENT = 0.75
MIN_PREDICTED = 0.20
"""Share of the stretch that is linked, share of the predictions that hold, and share of the elements that there is a
prediction for. Of 868 planted loops with one element in twenty changed 99 % are above each; a shape that is filled in
every few words has few contexts that come back whole."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A loop with interruptions. ``agreement`` is the share of predicted elements that are what the copies have.

    ``clean`` is where the most ordinary copy of ``run.period`` elements begins.
    """

    run: Repetition
    agreement: float
    clean: int


def find_interrupted(
    sequence: Sequence[int] | str,
    *,
    min_length: int,
    max_period: int = MAX_TOKEN_PERIOD,
    min_linked: float = MIN_LINKED,
) -> list[Interrupted]:
    """Return the longest loop with interruptions for each period that has one, longest first.

    ``run.length`` is from the loop's first element to its last, interruptions included. Loops without interruptions are
    found as well, with an agreement of 1.0.
    """
    symbols = as_symbols(sequence)
    if len(symbols) < max(min_length, CONTEXT + _VOTING):
        return []
    linked_hashes = hashes_of_stretches(symbols, _LINKED)
    found = [
        loop
        for period in _likely_periods(symbols, max_period)
        if (loop := _with_period(symbols, linked_hashes, period, min_length, min_linked)) is not None
    ]
    return sorted(found, key=lambda loop: -loop.run.length)


def _likely_periods(symbols: Symbols, max_period: int) -> list[int]:
    """The distances at which most stretches come back, commonest first."""
    hashes = hashes_of_stretches(symbols, _VOTING)
    order = np.argsort(hashes, kind="stable")
    same = hashes[order[1:]] == hashes[order[:-1]]
    distances = (order[1:] - order[:-1])[same]
    votes = np.bincount(distances[distances <= max_period], minlength=1)
    commonest = np.argsort(-votes, kind="stable")[:_CANDIDATES]
    return [int(period) for period in commonest if votes[period] >= _MIN_VOTES]


def _with_period(
    symbols: Symbols, linked_hashes: npt.NDArray[np.uint64], period: int, min_length: int, min_linked: float
) -> Interrupted | None:
    linked = _linked(linked_hashes, period)
    start, end = _heaviest(np.where(linked, 1.0, -_UNLINKED_COSTS))
    end = min(len(symbols), end + _LINKED - 1)
    if end - start < 2 * period:
        return None
    start, end = _extended(symbols, start, end, period)
    if end - start < max(min_length, MIN_COPIES * period):
        return None
    if linked[start : end - _LINKED + 1].mean() < min_linked:
        return None
    varying, agreement, predicted = _predictability(symbols[start:end])
    if varying > MAX_VARYING or agreement < MIN_AGREEMENT or predicted < MIN_PREDICTED:
        return None
    clean = _clean(symbols, start, end, period)
    if _repeats_itself(symbols[clean : clean + period]):
        return None
    return Interrupted(Repetition(period, start, end - start), agreement, clean)


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


def _heaviest(weights: npt.NDArray[np.float64]) -> tuple[int, int]:
    """First and last-plus-one position of the stretch with the largest sum (Bentley 1984)."""
    sums = np.concatenate(([0.0], np.cumsum(weights)))
    gains = sums - np.minimum.accumulate(sums)
    end = int(gains.argmax())
    lowest = sums[: end + 1]
    return end - int(lowest[::-1].argmin()), end


def _extended(symbols: Symbols, start: int, end: int, period: int) -> tuple[int, int]:
    """The stretch with what belongs to it at its edges, where an interruption hides the last few elements from it.

    On either side as far as more elements than not are what they are a period further in.
    """
    reach = max(period, _REACH - _REACH % period)
    left = symbols[max(0, start - reach) : start]
    agree_left = np.where(left == symbols[start - len(left) + period :][: len(left)], 1, -1)[::-1]
    right = symbols[end : end + reach]
    agree_right = np.where(right == symbols[end - period :][: len(right)], 1, -1)
    return start - _gain(agree_left), end + _gain(agree_right)


def _gain(agree: npt.NDArray[np.int64]) -> int:
    """How many elements from the first on have the largest sum, if that is above 0."""
    sums = np.cumsum(agree)
    best = int(sums.argmax()) if len(sums) else 0
    return best + 1 if len(sums) and sums[best] > 0 else 0


def _predictability(symbols: Symbols) -> tuple[float, float, float]:
    """Shares: of the deviations where successors vary; of the predictions that hold; of elements that have one.

    The prediction is the commonest successor of the ``CONTEXT`` elements before, wherever those stand three times or
    more; what is not predicted is a deviation. (1.0, 0.0, 0.0) where nothing stands three times.
    """
    contexts = hashes_of_stretches(symbols, CONTEXT)[:-1]
    _, context_of, times = np.unique(contexts, return_inverse=True, return_counts=True)
    (of_pair, _), pair_times = np.unique(np.stack((context_of, symbols[CONTEXT:])), axis=1, return_counts=True)
    commonest = np.zeros(len(times), dtype=np.int64)
    np.maximum.at(commonest, of_pair, pair_times)
    seen = times >= 3
    if not seen.any():
        return 1.0, 0.0, 0.0
    times, deviations = times[seen], (times - commonest)[seen]
    varying = (deviations >= VARYING_DEVIATIONS) & (deviations > VARYING_SHARE * times)
    missed, predictions = int(deviations.sum()), int(times.sum())
    return float(deviations[varying].sum() / max(1, missed)), 1 - missed / predictions, predictions / len(contexts)


def _repeats_itself(copy: Symbols) -> bool:
    """Whether the copy is itself several copies of something shorter, but for interruptions."""
    shifts = range(1, len(copy) // 2 + 1)
    return any(np.count_nonzero(copy[shift:] == copy[:-shift]) >= _SAME * (len(copy) - shift) for shift in shifts)


def _clean(symbols: Symbols, start: int, end: int, period: int) -> int:
    """Where a copy begins that is followed by its equal; the start where there is none."""
    same = symbols[start : end - period] == symbols[start + period : end]
    run = np.convolve(same, np.ones(period, dtype=np.int64), mode="valid") if len(same) >= period else same[:0]
    return start + (int(run.argmax()) if len(run) else 0)
