"""Equal values side by side, in time linear in how many there are, which sorting them is not.

By their top bits the values are put into buckets (numpy sorts 16-bit numbers by radix), and only within a bucket of
about ``BUCKET_VALUES`` they are compared. Many equal values make one large bucket, and that is in order already.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET_VALUES = 512
"""Values in a bucket: sorting 256 to 2,048 of them costs the same to within a tenth, for each value."""
MAX_BUCKET_BITS = 16
"""What numpy sorts by radix; from 33 million values on the buckets grow."""

_Values = npt.NDArray[np.uint64]
_SPREADING = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio (Knuth 1973, section 6.4). It is odd, so that no two products are equal."""


def order_of_equals(hashes: _Values) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the indices of ``hashes`` such that equal ones stand side by side, the earlier of them first.

    And for each of them but the first, whether its value is that of the one before it.
    """
    order, buckets = _in_buckets(hashes)
    in_order = hashes[order]
    for first, end in buckets:
        # A bucket that is much too large is nearly always one value many times.
        if end - first > 4 * BUCKET_VALUES and np.all(in_order[first:end] == in_order[first]):
            continue
        within = np.argsort(in_order[first:end], kind="stable")
        order[first:end] = order[first:end][within]
        in_order[first:end] = in_order[first:end][within]
    return order, in_order[1:] == in_order[:-1]


def count_different(values: _Values) -> int:
    """Return how many different ones there are among ``values``, which may be any."""
    spread = values * _SPREADING
    order, buckets = _in_buckets(spread)
    spread = spread[order]
    for first, end in buckets:
        spread[first:end].sort()
    return min(1, len(spread)) + int(np.count_nonzero(spread[1:] != spread[:-1]))


def numbered(values: npt.NDArray[np.int64] | _Values) -> tuple[_Values, int]:
    """Return a number for each of ``values``, from 0 on in the order in which different ones first appear.

    And how many different ones there are.
    """
    order, same = order_of_equals(values.view(np.uint64) * _SPREADING)
    groups = np.flatnonzero(np.concatenate((np.ones(min(1, len(values)), dtype=np.bool_), ~same)))
    firsts = order[groups]
    is_first = np.zeros(len(values), dtype=np.bool_)
    is_first[firsts] = True
    numbers = np.empty(len(values), dtype=np.uint64)
    numbers[order] = np.repeat((np.cumsum(is_first) - 1)[firsts], np.diff(groups, append=len(values)))
    return numbers, len(groups)


def _in_buckets(hashes: _Values) -> tuple[npt.NDArray[np.int64], Iterator[tuple[int, int]]]:
    """The order of ``hashes`` by their top bits, and where in it each bucket begins and ends."""
    bits = min(MAX_BUCKET_BITS, (len(hashes) // BUCKET_VALUES).bit_length())
    if not bits:
        return np.arange(len(hashes)), iter([(0, len(hashes))])
    buckets = (hashes >> np.uint64(64 - bits)).astype(np.uint16)
    ends = np.cumsum(np.bincount(buckets, minlength=1 << bits))
    return np.argsort(buckets, kind="stable"), pairwise([0, *ends.tolist()])
