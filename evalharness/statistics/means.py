"""The mean of something that is measured on many targets of few rows, with an interval over the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evalharness.records import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESAMPLES = 10_000
# So many at a time keep the working memory at some tens of MB for any number of rows.
AT_ONCE = 1_000


def mean_over_rows(values_by_row: Mapping[int, Sequence[float]], *, seed: int) -> Interval:
    """Return the mean of all values, with a 95 % percentile interval over resampled rows.

    Targets of one row are not independent, so whole rows are drawn (cluster bootstrap, Field and Welsh 2007); the mean
    is a ratio of sums, as rows differ in length. One row alone gives an interval without width only in appearance, so
    ``low`` and ``high`` are then infinite. Raises ``ValueError`` without values.
    """
    rows = [values for values in values_by_row.values() if len(values)]
    if not rows:
        raise ValueError("no values: nothing has no mean")
    sums = np.array([sum(values) for values in rows])
    counts = np.array([len(values) for values in rows], dtype=np.float64)
    estimate = float(sums.sum() / counts.sum())
    if len(rows) == 1:
        return Interval(estimate, -np.inf, np.inf)
    generator = np.random.default_rng(seed)
    parts = []
    for _ in range(RESAMPLES // AT_ONCE):
        drawn = generator.integers(0, len(rows), size=(AT_ONCE, len(rows)))
        parts.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    means = np.concatenate(parts)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate))
