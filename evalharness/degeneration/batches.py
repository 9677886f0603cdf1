"""Many sequences at a time: numpy's cost for each call is larger than the work on a completion of 256 tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evalharness.degeneration.grouping import count_different, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHUNK_ELEMENTS = 1 << 15
"""Elements put together at a time: what fits a core's cache, and fewer than 2**16 different ones, so that four of them
are one 64-bit number. A sequence that is longer is a chunk of its own."""

_FIRST_SEPARATOR = np.iinfo(np.int64).min
Symbols = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some sequences one after the other, with a separator after each that is no element and like no other one.

    ``symbols`` has shape ``(sum(lengths) + len(lengths),)``; sequence ``i`` is ``first + i`` of all and stands at
    ``starts[i]``.
    """

    first: int
    symbols: Symbols
    starts: Symbols
    lengths: Symbols

    def owners(self, positions: Symbols) -> Symbols:
        """For each position in ``symbols``, which sequence of the chunk it lies in."""
        return np.searchsorted(self.starts, positions, side="right") - 1


def as_symbols(sequence: Sequence[int] | Symbols | str) -> Symbols:
    """Return token ids, or the code points of a text (lone surrogates included), as int64 of shape ``(length,)``."""
    if isinstance(sequence, str):
        return np.frombuffer(sequence.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.int64)
    return np.asarray(sequence, dtype=np.int64)


def chunks(sequences: Sequence[Sequence[int] | Symbols | str]) -> Iterator[Chunk]:
    """Yield all sequences, in their order, in chunks of about ``CHUNK_ELEMENTS``."""
    members: list[Symbols] = []
    elements = 0
    for index, sequence in enumerate(sequences):
        symbols = as_symbols(sequence)
        if members and elements + len(symbols) > CHUNK_ELEMENTS:
            yield _chunk(index - len(members), members)
            members, elements = [], 0
        members.append(symbols)
        elements += len(symbols)
    if members:
        yield _chunk(len(sequences) - len(members), members)


def _chunk(first: int, members: list[Symbols]) -> Chunk:
    lengths = np.array([len(member) for member in members], dtype=np.int64)
    starts = np.concatenate(([0], np.cumsum(lengths + 1)[:-1]))
    symbols = np.empty(int(lengths.sum()) + len(members), dtype=np.int64)
    for start, member in zip(starts.tolist(), members, strict=True):
        symbols[start : start + len(member)] = member
    symbols[starts + lengths] = _FIRST_SEPARATOR + np.arange(len(members))
    return Chunk(first, symbols, starts, lengths)


def longest_runs(sequences: Sequence[Sequence[int] | str]) -> list[int]:
    """Return, for each sequence, the largest number of equal elements in a row; 0 for an empty one."""
    longest: list[int] = []
    for chunk in chunks(sequences):
        edges = np.concatenate(([0], np.flatnonzero(np.diff(chunk.symbols)) + 1))
        runs = np.diff(np.concatenate((edges, [len(chunk.symbols)])))
        runs[chunk.symbols[edges] < _FIRST_SEPARATOR + len(chunk.lengths)] = 0
        # Every sequence's runs, and its separator's, begin where it begins: a separator is like nothing before it.
        longest += np.maximum.reduceat(runs, np.searchsorted(edges, chunk.starts)).tolist()
    return longest


MAX_NGRAM = 4


def seq_reps(sequences: Sequence[Sequence[int] | Symbols | str]) -> list[tuple[float, float, float, float]]:
    """Return, for each sequence, seq-rep-n for n = 1 to 4: ``1 - |distinct n-grams| / |n-grams|``, 0 to below 1.

    Welleck et al. 2020, "Neural Text Generation with Unlikelihood Training", section 6.1, equation 11 (there averaged
    over continuations). It is 0 where the sequence is shorter than n and has no n-grams. The counts are exact.
    """
    repeated_shares: list[tuple[float, float, float, float]] = []
    for chunk in chunks(sequences):
        ratios = np.array([_repeated(chunk, names) for names in ngram_names(chunk.symbols)])
        repeated_shares += [(a, b, c, d) for a, b, c, d in ratios.T.tolist()]
    return repeated_shares


def ngram_names(symbols: Symbols) -> Iterator[npt.NDArray[np.uint64]]:
    """For n = 1 to 4, yield a number for each n-gram that no other n-gram has, by where it begins."""
    elements, base = numbered(symbols)
    named, names = elements, base
    for n in range(1, MAX_NGRAM + 1):
        if n > 1:
            if names * base >= 1 << 64:
                named, names = numbered(named)
            named, names = named[: max(0, len(elements) - n + 1)] * np.uint64(base) + elements[n - 1 :], names * base
        yield named


def _repeated(chunk: Chunk, named: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """The ratio for each sequence: one with a separator in it is no n-gram of any."""
    n = len(chunk.symbols) - len(named) + 1
    ratios = np.zeros(len(chunk.lengths))
    for i, (start, length) in enumerate(zip(chunk.starts.tolist(), chunk.lengths.tolist(), strict=True)):
        count = length - n + 1
        if count > 0:
            ratios[i] = 1.0 - count_different(named[start : start + count]) / count
    return ratios
