"""Intervals of shares by formula: Wilson's, Blaker's exact one, and one for problems that are partly solved."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtri, stdtrit

from evalharness.records import Interval
from evalharness.statistics import binomial

if TYPE_CHECKING:
    from collections.abc import Sequence

    Shares = npt.NDArray[np.float64]

CONFIDENCE = 0.95


def wilson(successes: float, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the score interval of a binomial share (Wilson 1927; Brown, Cai and DasGupta 2001, section 3.1.1).

    ``successes`` may be fractional, where ``n`` problems each contribute a share. At 0 and at ``n`` the bound on that
    side is exactly 0 or 1. Raises ``ValueError`` unless ``0 <= successes <= n``, ``n >= 1`` and ``0 < confidence < 1``.
    """
    if n < 1:
        raise ValueError(f"a share of {n} problems has no interval")
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n}: expected from 0 to {n}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: expected between 0 and 1")
    z = float(ndtri(0.5 + confidence / 2))
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return around(share, low, high)


@lru_cache(maxsize=4096)
def exact_share(successes: int, n: int) -> Interval:
    """Return the exact 95 % interval of a binomial share by Blaker (2000, Canadian Journal of Statistics 28:783-798).

    It covers the truth at least 95 times in 100 whatever the truth is, which Wilson's does not (89 at worst with 20
    problems), and lies within Clopper and Pearson's. At 0 and at ``n`` it is as wide as Wilson's where that is wider:
    0 of 164 is 0 to 2.3 %. Raises ``ValueError`` unless ``0 <= successes <= n`` and ``n >= 1``.
    """
    rough = wilson(successes, n)
    low, high = _blaker_low(successes, n), 1 - _blaker_low(n - successes, n)
    if successes in {0, n}:
        low, high = min(low, rough.low), max(high, rough.high)
    return around(successes / n, low, high)


def mean_of_shares(values: Sequence[float] | Shares, *, completions: int) -> Interval:
    """Return the mean of ``values``, one a problem and each a share of its completions, with its 95 % interval.

    The exact interval of Clopper and Pearson for an effective number of problems (Korn and Graubard 1998, Survey
    Methodology 24:193-201): as many as would vary as much as these do, between the number of problems and that of all
    ``completions``. One problem more that all completions pass and one that none does count in the variance, because a
    few hundred problems may miss the few that decide it. Where each problem is wholly passed or not,
    :func:`exact_share`. Raises ``ValueError`` without values, and for values outside 0 to 1.
    """
    shares = np.asarray(values, dtype=np.float64)
    n = len(shares)
    if not n:
        raise ValueError("no problems: a share of nothing has no interval")
    if not bool(np.all((shares >= 0) & (shares <= 1))):
        raise ValueError("a problem's value is outside 0 to 1")
    if bool(np.all((shares == 0) | (shares == 1))):
        return exact_share(int(shares.sum()), n)
    mean = float(shares.mean())
    effective = _effective(shares, mean, max(completions, n))
    low, high = _clopper_pearson(mean * effective, effective)
    return around(mean, low, high)


def around(estimate: float, low: float, high: float) -> Interval:
    """An interval inside 0 to 1 that contains its estimate, whatever the rounding."""
    return Interval(estimate, max(0.0, min(low, estimate)), min(1.0, max(high, estimate)))


def _effective(shares: Shares, mean: float, completions: int) -> float:
    """How many problems, each passed or not, have a mean that varies as much."""
    n = len(shares)
    if n == 1:
        return 1.0
    spread = float(np.sum((shares - mean) ** 2)) + (1 - mean) ** 2 + mean**2
    tail = 0.5 + CONFIDENCE / 2
    # The variance of few problems is uncertain itself: Student's quantiles for their number and that of completions.
    uncertain = float(stdtrit(completions - 1, tail) / stdtrit(n - 1, tail)) ** 2
    return min(max(mean * (1 - mean) * n * n / spread * uncertain, n), completions)


def _clopper_pearson(successes: float, n: float) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return low, high


def _blaker_low(successes: int, n: int) -> float:
    """The least share that the data don't speak against at 5 %.

    It lies between Clopper and Pearson's bound, where the tail above alone is 2.5 %, and the point where that is 5 %;
    in between, shares may be acceptable and not in turns, and the least acceptable one counts.
    """
    if successes == 0:
        return 0.0
    tail = 1 - CONFIDENCE
    first = float(betaincinv(successes, n - successes + 1, tail / 2))
    last = float(betaincinv(successes, n - successes + 1, tail))
    shares = np.linspace(first, last, 513)
    accepted = np.flatnonzero(_acceptability(successes, n, shares) >= tail)
    # The share before: between the two it may begin.
    return float(shares[max(0, int(accepted[0]) - 1)]) if len(accepted) else last


def _acceptability(successes: int, n: int, shares: Shares) -> Shares:
    """Blaker's: the smaller tail at ``successes``, and the largest one no larger on the other side."""
    above = binomial.at_least(successes, n, shares)
    return above + binomial.at_most(binomial.quantile(above, n, shares) - 1, n, shares)
