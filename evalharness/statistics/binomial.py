"""The binomial distribution over arrays, from ``scipy.special``: importing ``scipy.stats`` takes half a second.

``k`` and ``n`` are counts, ``p`` a share; all broadcast against each other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrik, betainc, gammaln, xlog1py, xlogy

Numbers = npt.NDArray[np.float64]


def at_most(k: npt.ArrayLike, n: npt.ArrayLike, p: npt.ArrayLike) -> Numbers:
    """Return the probability of ``k`` successes or fewer, as exact where it is small as where it is not."""
    k, n, p = _numbers(k, n, p)
    return at_least(n - k, n, 1 - p)  # n - k failures or more


def at_least(k: npt.ArrayLike, n: npt.ArrayLike, p: npt.ArrayLike) -> Numbers:
    """Return the probability of ``k`` successes or more, by the incomplete beta function (DLMF 8.17.5)."""
    k, n, p = _numbers(k, n, p)
    inside = (k > 0) & (k <= n)
    probabilities: Numbers = np.where(
        inside, betainc(np.where(inside, k, 1), np.where(inside, n - k + 1, 1), p), k <= 0
    )
    return probabilities


def exactly(k: npt.ArrayLike, n: npt.ArrayLike, p: npt.ArrayLike) -> Numbers:
    """Return the probability of ``k`` successes, for ``k`` from 0 to ``n``."""
    k, n, p = _numbers(k, n, p)
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    probabilities: Numbers = np.exp(ways + xlogy(k, p) + xlog1py(n - k, -p))
    return probabilities


def quantile(probability: npt.ArrayLike, n: npt.ArrayLike, p: npt.ArrayLike) -> Numbers:
    """Return the least number of successes that as many or fewer have at least this ``probability``."""
    wanted, n, p = _numbers(probability, n, p)
    successes: Numbers = np.maximum(np.ceil(np.nan_to_num(bdtrik(wanted, n, p))) - 1, 0)
    for _ in range(2):  # what was rounded may be one off, either way
        successes = successes + (at_most(successes, n, p) < wanted)
    return successes


def _numbers(*given: npt.ArrayLike) -> list[Numbers]:
    return [np.asarray(value, dtype=np.float64) for value in given]
