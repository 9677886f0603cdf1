"""95 % intervals of shares, always over problems: completions of one problem are not independent of each other.

How often they cover the truth, and how wide they are: ``benchmarks/intervals.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evalharness.statistics.exact import around, mean_of_shares, wilson
from evalharness.statistics.pass_at_k import pass_at_k

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalharness.records import Interval

CONFIDENCE = 0.95
RESAMPLES = 10_000
# A resample is one row of counts; so many at a time keep the working memory at some tens of MB for any problem set.
_RESAMPLES_AT_ONCE = 1_000


def bootstrap_over_problems(values: Sequence[float], *, resamples: int = RESAMPLES, seed: int) -> Interval:
    """Return the mean of ``values`` (one a problem, shares of 1) with its percentile interval over resampled problems.

    Percentile bootstrap (Efron and Tibshirani 1993, section 13.3), the same for the same seed and for any order of the
    problems. Where all problems agree every resample is alike and a bootstrap says nothing: the Wilson interval over
    the problems stands. Raises ``ValueError`` without values, for values outside 0 to 1, or without resamples.
    """
    return _bootstrap_ratio(np.asarray(values, dtype=np.float64), np.ones(len(values)), resamples, seed)


def pass_at_k_interval(counts: Sequence[tuple[int, int]], k: int) -> Interval:
    """Return the mean pass@k over problems with its interval; ``counts`` is ``(n, c)`` for each problem.

    The exact interval where each problem passes or doesn't (one completion a problem, or as many as ``k``), else that
    of :func:`mean_of_shares`. Raises ``ValueError`` as :func:`pass_at_k` does, and without problems.
    """
    values = [pass_at_k(n, c, k) for n, c in counts]
    return mean_of_shares(values, completions=sum(n for n, _ in counts))


def share_interval(flags_by_problem: Mapping[str, Sequence[bool]], seed: int) -> Interval:
    """Return the share of all completions whose flag is set, with its interval over resampled problems.

    A cluster bootstrap (Field and Welsh 2007): a resample draws whole problems, and its share is a ratio of sums, so
    problems may differ in their number of completions; one without completions counts for nothing. Wilson where each
    has one completion, and Wilson over the number of problems where all problems agree. Raises ``ValueError`` without
    completions.
    """
    flags = [problem for problem in flags_by_problem.values() if len(problem)]
    if flags and all(len(problem) == 1 for problem in flags):
        return wilson(sum(bool(problem[0]) for problem in flags), len(flags))
    flagged = np.array([sum(map(bool, problem)) for problem in flags], dtype=np.float64)
    completions = np.array([len(problem) for problem in flags], dtype=np.float64)
    return _bootstrap_ratio(flagged, completions, RESAMPLES, seed)


def _bootstrap_ratio(
    parts: npt.NDArray[np.float64], wholes: npt.NDArray[np.float64], resamples: int, seed: int
) -> Interval:
    """Percentile interval of ``sum(parts) / sum(wholes)`` over resampled problems."""
    if not len(parts):
        raise ValueError("no problems: a share of nothing has no interval")
    if resamples < 1:
        raise ValueError(f"{resamples} resamples: expected at least 1")
    shares = parts / wholes
    if not bool(np.all((shares >= 0) & (shares <= 1))):
        raise ValueError("a problem's value is outside 0 to 1")
    estimate = min(1.0, float(parts.sum() / wholes.sum()))
    if np.ptp(shares) == 0:
        return wilson(min(estimate * len(parts), len(parts)), len(parts))
    resampled = _resampled_ratios(parts, wholes, resamples, np.random.default_rng(seed))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return around(estimate, float(low), float(high))


def _resampled_ratios(
    parts: npt.NDArray[np.float64], wholes: npt.NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Draw resamples of the problems and return the ratio of each, shape ``(resamples,)``.

    Problems with equal counts are interchangeable, so how often each kind is drawn is multinomial over the kinds: the
    same law as drawing problems one by one, and far fewer numbers.
    """
    kinds, problems_a_kind = np.unique(np.column_stack([parts, wholes]), axis=0, return_counts=True)
    chances = problems_a_kind / len(parts)
    ratios = []
    for first in range(0, resamples, _RESAMPLES_AT_ONCE):
        drawn = rng.multinomial(len(parts), chances, size=min(_RESAMPLES_AT_ONCE, resamples - first))
        sums = drawn @ kinds
        ratios.append(sums[:, 0] / sums[:, 1])
    return np.concatenate(ratios)
