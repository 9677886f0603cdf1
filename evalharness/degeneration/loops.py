"""Exact loops anywhere in a sequence: where some stretch repeats itself several times in a row, copy after copy.

In the terms of the literature these are the maximal repetitions, or runs (Kolpakov and Kucherov 1999), that have
enough copies. They lead the measurement of degeneration because the length of the period tells a loop from legitimate
code of one shape, which no ratio of repeated n-grams does.

How: for a power of two ``k``, every stretch of ``k`` elements gets a hash, made from two hashes of half the length. In
a run whose primitive period ``p`` is at most ``k``, the next place where the same ``k`` elements stand is exactly ``p``
further on (a nearer one would make the period a power of something shorter: Fine and Wilf 1965). So a run is a stretch
of positions that all have the same distance to their next occurrence, and the primitive period is that distance. Each
doubling of ``k`` looks only at positions whose shorter stretch came back, so ordinary code is done after the first, and
few doublings lead to the longest period: linear time altogether (see :mod:`evalharness.degeneration.grouping`).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evalharness.degeneration.batches import Symbols as _Symbols
from evalharness.degeneration.batches import as_symbols, chunks
from evalharness.degeneration.grouping import order_of_equals

__all__ = ["MAX_CHARACTER_PERIOD", "MAX_TOKEN_PERIOD", "Repetition", "as_symbols", "find_loops", "find_loops_in"]

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_TOKEN_PERIOD = 256
"""Longest period searched in tokens. Serving engines search to 128 or 1024; the period of a loop that can show four
copies in a context of 1,024 tokens is at most this."""

MAX_CHARACTER_PERIOD = 1024
"""Longest period searched in characters: MAX_TOKEN_PERIOD at the usual four characters a token."""

_Hashes = npt.NDArray[np.uint64]
_Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Repetition:
    """One maximal run: ``length`` elements from ``onset`` on, each equal to the one ``period`` elements before it.

    ``period`` is primitive (twelve equal tokens are one token twelve times). All are counted in elements.
    """

    period: int
    onset: int
    length: int

    @property
    def copies(self) -> int:
        """How many whole copies of the period there are; a torn last one is not counted."""
        return self.length // self.period

    @property
    def end(self) -> int:
        """Index after the last element of the run."""
        return self.onset + self.length


def find_loops(
    sequence: Sequence[int] | str, *, min_length: int, min_copies: int = 4, max_period: int = MAX_TOKEN_PERIOD
) -> list[Repetition]:
    """Return every maximal repetition of at least ``min_length`` elements and ``min_copies`` copies, by onset.

    ``sequence`` is token ids (any integers, also ones that are in no vocabulary) or text, whose elements are its
    characters. Raises ``ValueError`` for ``min_copies`` below 3 (the search needs the third) or sizes below 1.
    """
    (loops,) = find_loops_in([sequence], min_length=min_length, min_copies=min_copies, max_period=max_period)
    return loops


def find_loops_in(
    sequences: Sequence[Sequence[int] | str],
    *,
    min_length: int,
    min_copies: int = 4,
    max_period: int = MAX_TOKEN_PERIOD,
) -> list[list[Repetition]]:
    """Return what :func:`find_loops` finds in each of ``sequences``, several times as fast as one by one."""
    if min_copies < 3 or min_length < 1 or max_period < 1:
        raise ValueError(
            f"min_copies {min_copies}, min_length {min_length}, max_period {max_period}: need at least 3, 1, 1"
        )
    by_sequence: list[list[Repetition]] = [[] for _ in sequences]
    for chunk in chunks(sequences):
        longest = int(chunk.lengths.max())
        # No run crosses from one sequence to the next: all of it but the first copy equals what is a period earlier,
        # and what stands between the sequences equals nothing.
        for candidate_runs in _by_scale(chunk.symbols, min_length, min_copies, min(max_period, longest)):
            for run in candidate_runs:
                if run.length >= max(min_length, min_copies * run.period) and _is_exact(chunk.symbols, run):
                    owner = bisect_right(chunk.starts, run.onset) - 1
                    onset = run.onset - int(chunk.starts[owner])
                    by_sequence[chunk.first + owner].append(Repetition(run.period, onset, run.length))
    return [sorted(runs, key=lambda run: (run.onset, run.period)) for runs in by_sequence]


def _by_scale(symbols: _Symbols, min_length: int, min_copies: int, max_period: int) -> Iterator[list[Repetition]]:
    """Yield the runs with periods up to the first scale, then those of each doubling."""
    scale = _power_of_two_at_most(max(1, min_length // 4))
    shortest = 1
    hashes = _hashes_of(symbols, scale)
    positions = np.arange(len(hashes), dtype=np.int64)
    while len(positions) > 1 and shortest <= max_period and min_copies * shortest <= len(symbols):
        distances = _distances_to_next(hashes, positions)
        runs = _runs(positions, distances, scale, shortest, min(scale, max_period))
        yield runs
        positions = _still_repeating(len(hashes), positions, distances, runs, max_period)
        hashes = _doubled(hashes, scale)
        positions = positions[positions < len(hashes)]
        shortest, scale = scale + 1, 2 * scale


def _power_of_two_at_most(n: int) -> int:
    return 1 << (n.bit_length() - 1)


def _hashes_of(symbols: _Symbols, scale: int) -> _Hashes:
    """One hash for each stretch of ``scale`` elements, by where it begins."""
    hashes = _mixed(symbols.astype(np.uint64))
    width = 1
    while width < scale:
        hashes = _doubled(hashes, width)
        width *= 2
    return hashes


def hashes_of_stretches(symbols: _Symbols, width: int) -> _Hashes:
    """Return a hash for each stretch of ``width`` elements, shape ``(length - width + 1,)``; any width from 1 on."""
    hashes = _mixed(symbols.astype(np.uint64))
    total = hashes[: max(0, len(hashes) - width + 1)]
    for offset in range(1, width):
        total = _mixed(total * np.uint64(0x9E3779B97F4A7C15) + hashes[offset : offset + len(total)])
    return total


def _doubled(hashes: _Hashes, width: int) -> _Hashes:
    """Hashes of stretches of ``2 * width`` elements from those of ``width``."""
    if len(hashes) <= width:
        return hashes[:0]
    return _mixed(hashes[:-width] * np.uint64(0x9E3779B97F4A7C15) + hashes[width:])


def _mixed(values: _Hashes) -> _Hashes:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): a plain polynomial has systematic collisions."""
    mixed = values ^ (values >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _distances_to_next(hashes: _Hashes, positions: _Positions) -> _Positions:
    """How far on the same stretch stands next, for each of the ascending ``positions``; 0 where it never does."""
    order, same = order_of_equals(hashes[positions])
    earlier, later = order[:-1][same], order[1:][same]
    distances = np.zeros(len(positions), dtype=np.int64)
    distances[earlier] = positions[later] - positions[earlier]
    return distances


def _runs(positions: _Positions, distances: _Positions, scale: int, shortest: int, longest: int) -> list[Repetition]:
    """Stretches of neighbouring positions that share one distance from ``shortest`` to ``longest``."""
    of_scale = (distances >= shortest) & (distances <= longest)
    positions, distances = positions[of_scale], distances[of_scale]
    if not len(positions):
        return []
    breaks = np.flatnonzero((np.diff(positions) != 1) | (np.diff(distances) != 0))
    firsts = np.concatenate(([0], breaks + 1))
    lasts = np.concatenate((breaks, [len(positions) - 1]))
    periods, onsets = distances[firsts], positions[firsts]
    lengths = positions[lasts] - onsets + periods + scale
    return [Repetition(*run) for run in zip(periods.tolist(), onsets.tolist(), lengths.tolist(), strict=True)]


def _still_repeating(
    total: int, positions: _Positions, distances: _Positions, runs: list[Repetition], max_period: int
) -> _Positions:
    """The positions from which a longer stretch could come back within ``max_period``, and where it would stand.

    Two runs overlap by less than the sum of their periods (Fine and Wilf 1965), so the inside of a long one is done.
    """
    returns = (distances > 0) & (distances <= max_period)
    keep = np.zeros(total, dtype=np.bool_)
    keep[positions[returns]] = True
    keep[positions[returns] + distances[returns]] = True
    for run in (run for run in runs if run.length > 4 * max_period):
        keep[run.onset + 2 * max_period : run.end - 2 * max_period] = False
    return np.flatnonzero(keep)


def _is_exact(symbols: _Symbols, run: Repetition) -> bool:
    """Equality of hashes is not equality; this is."""
    return bool(np.array_equal(symbols[run.onset : run.end - run.period], symbols[run.onset + run.period : run.end]))
