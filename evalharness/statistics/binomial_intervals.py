"""95 % intervals of shares by formula: the score interval, the exact one, and the one for shares over problems.

Completions of one problem are not independent, so intervals are over problems and not over completions. How often they
hold the truth, and how wide they are: ``benchmarks/intervals.py``.
"""

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
    """Return an exact 95 % interval of a binomial share.

    From 1 to ``n`` - 1 it is Blaker's (2000, Canadian Journal of Statistics 28:783-798), which lies within Clopper and
    Pearson's. At 0 and at ``n`` it is the wider one of Blaker's and Wilson's (:func:`wilson`), so that 0 of 164 is 0 to
    2.3 %. It holds the truth at least 95 times in 100 whatever the truth is; Wilson's alone does not (89 at worst with
    20 problems). Raises ``ValueError`` unless ``0 <= successes <= n`` and ``n >= 1``.
    """
    rough = wilson(successes, n)
    low, high = _blaker_low(successes, n), 1 - _blaker_low(n - successes, n)
    if successes in {0, n}:
        low, high = min(low, rough.low), max(high, rough.high)
    return around(successes / n, low, high)


def share_over_problems(
    shares: Sequence[float] | Shares, *, completions: int, weights: Sequence[float] | Shares | None = None
) -> Interval:
    """Return the mean of ``shares``, one per problem and each a share of its completions, with its 95 % interval.

    The one interval for shares over problems: of pass@k, of degenerate completions and so of the verdict. ``weights``
    says how much each problem counts, such as its number of completions if the share of all completions is meant;
    without them all problems count alike.

    Where each problem is wholly passed or not and all count alike, this is :func:`exact_share`. Otherwise it is the
    interval of Clopper and Pearson for an effective number of problems (Korn and Graubard 1998, Survey Methodology
    24:193-201): the number of problems, each passed or not, whose mean would vary as much as this one does, between
    the number of problems (with weights, that of Kish 1965: the squared sum of the weights by the sum of their
    squares) and that of all ``completions``. The variance is that of a ratio of sums (Cochran 1977, chapter 6). It
    counts one problem more that all completions pass, and one that none does, because a few hundred problems may miss
    the few that decide it; this addition is the project's own.

    Raises ``ValueError`` without problems, for shares outside 0 to 1, and for weights that are not above 0.
    """
    values = np.asarray(shares, dtype=np.float64)
    counts = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(values):
        raise ValueError("no problems: a share of nothing has no interval")
    if not bool(np.all((values >= 0) & (values <= 1))):
        raise ValueError("a problem's share is outside 0 to 1")
    if len(counts) != len(values) or not bool(np.all(counts > 0)):
        raise ValueError("a problem's weight is not above 0")
    if np.ptp(counts) == 0 and bool(np.all((values == 0) | (values == 1))):
        return exact_share(int(values.sum()), len(values))
    # Rounding must not turn a share of all into one of nearly all.
    mean = min(1.0, float(counts @ values / counts.sum()))
    effective = _effective(values, counts / counts.mean(), mean, completions)
    low, high = _clopper_pearson(mean * effective, effective)
    return around(mean, low, high)


def around(estimate: float, low: float, high: float) -> Interval:
    """An interval inside 0 to 1 that contains its estimate, whatever the rounding."""
    return Interval(estimate, max(0.0, min(low, estimate)), min(1.0, max(high, estimate)))


def _effective(shares: Shares, weights: Shares, mean: float, completions: int) -> float:
    """How many problems, each passed or not, have a mean that varies as much. ``weights`` are 1 on average."""
    n = len(shares)
    if n == 1:
        return 1.0
    spread = float(np.sum((weights * (shares - mean)) ** 2)) + (1 - mean) ** 2 + mean**2
    lower_bound = n * n / float(weights @ weights)
    upper_bound = max(float(completions), lower_bound)
    tail = 0.5 + CONFIDENCE / 2
    # The variance of few problems is uncertain itself: Student's quantiles for their number and that of completions.
    uncertain = float(stdtrit(max(completions, n) - 1, tail) / stdtrit(n - 1, tail)) ** 2
    return min(max(mean * (1 - mean) * n * n / spread * uncertain, lower_bound), upper_bound)


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
