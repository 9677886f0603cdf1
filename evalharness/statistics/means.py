"""The mean of something that is measured on many targets of few rows, with an interval over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evalharness.records import Interval
from evalharness.statistics.bootstrap import RESAMPLES, percentile_interval, resampled_sums

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def mean_over_rows(values_by_row: Mapping[int, Sequence[float]], *, seed: int) -> Interval:
    """Return the mean of all values, with a 95 % percentile interval over resampled rows.

    Targets of one row are not independent, so whole rows are drawn (cluster bootstrap, Field and Welsh 2007); the mean
    is a ratio of sums, as rows differ in length. One row alone gives an interval without width only in appearance, so
    ``low`` and ``high`` are then infinite. Raises ``ValueError`` without values.
    """
    rows = [values for values in values_by_row.values() if len(values)]
    return ratio_over_rows([float(sum(values)) for values in rows], [float(len(values)) for values in rows], seed=seed)


def ratio_over_rows(
    parts: Sequence[float], wholes: Sequence[float], *, seed: int, resamples: int = RESAMPLES
) -> Interval:
    """Return ``sum(parts) / sum(wholes)``, one of each a row, with a 95 % percentile interval over resampled rows.

    As for :func:`mean_over_rows`; parts may be of either sign. A resample whose wholes sum to nothing says nothing and
    is left out. Raises ``ValueError`` where the wholes sum to zero.
    """
    sums, counts = np.asarray(parts, dtype=np.float64), np.asarray(wholes, dtype=np.float64)
    if not counts.sum():
        raise ValueError("no values: nothing has no mean")
    estimate = float(sums.sum() / counts.sum())
    if len(counts) == 1:
        return Interval(estimate, -np.inf, np.inf)
    rows, rng = np.column_stack([sums, counts]), np.random.default_rng(seed)
    drawn = np.concatenate(list(resampled_sums(rows, rng, resamples=resamples)))
    of_parts, of_wholes = drawn[drawn[:, 1] != 0].T
    return percentile_interval(estimate, of_parts / of_wholes)
