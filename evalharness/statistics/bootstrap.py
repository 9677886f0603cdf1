"""The percentile bootstrap (Efron and Tibshirani 1993, section 13.3), for what has no interval by formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evalharness.records import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    Matrix = npt.NDArray[np.float64]

RESAMPLES = 10_000
AT_ONCE = 1_000
"""This many resamples at a time keep the working memory at some tens of MB for any number of rows."""


def resampled_sums(
    values: Matrix, rng: np.random.Generator, *, resamples: int = RESAMPLES, at_once: int = AT_ONCE
) -> Iterator[Matrix]:
    """Yield the sums over resamples of the rows of ``values``, shape ``(rows, columns)``.

    The parts have the shape ``(resamples, columns)``, of at most ``at_once`` resamples each.
    """
    for begin in range(0, resamples, at_once):
        drawn = rng.integers(0, len(values), size=(min(at_once, resamples - begin), len(values)))
        # Column by column: the rows of all resamples together would need as many times the memory.
        yield np.stack([column[drawn].sum(axis=1) for column in values.T], axis=1)


def percentile_interval(estimate: float, resampled: Matrix) -> Interval:
    """The 95 % interval of ``estimate`` by the percentiles of what it is in resamples; it contains the estimate."""
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate))
