"""Two checkpoints on the same problems: how far they differ, whether by chance, and what could have been seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from evalharness.records import Interval
from evalharness.statistics import binomial
from evalharness.statistics.binomial_intervals import CONFIDENCE, share_over_problems
from evalharness.statistics.paired import sign_test
from evalharness.statistics.pass_at_k import pass_at_k

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Shares = npt.NDArray[np.float64]

LEVEL = 0.05
POWER = 0.8
FLIPS = 10_000
LEAST_P = 1 / (FLIPS + 1)
"""The lowest p-value of so many random choices: the true one may be lower."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A share under two checkpoints, over the ``problems`` that both have. ``difference`` is the second less the first.

    ``gained`` and ``lost`` name the problems whose share rose and fell. ``p_value`` is two-sided, ``p_fall`` that of a
    fall alone. ``unpaired`` counts the problems that only one of the two has.
    """

    problems: int
    unpaired: int
    first: Interval
    second: Interval
    difference: Interval
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    test: Literal["exact McNemar", "sign flips"]
    p_value: float
    p_fall: float

    @property
    def detectable(self) -> float | None:
        """The least difference that such data would have shown at 5 % in 80 of 100 cases; None where none at all."""
        if self.test == "exact McNemar":
            return detectable_by_mcnemar(self.problems, len(self.gained) + len(self.lost))
        return detectable(self.difference)


def compare_pass_at_k(
    first: Mapping[str, tuple[int, int]], second: Mapping[str, tuple[int, int]], k: int, *, seed: int
) -> Comparison:
    """Compare the pass@k of two checkpoints, paired by problem; ``{task_id: (n, c)}`` each, ``c`` of ``n`` passed.

    The intervals of the two are those of :func:`~evalharness.statistics.share_over_problems`, that of the difference is
    :func:`paired_difference`, the p-values are of McNemar's exact test where each problem is passed or not, else of
    :func:`sign_flips`. Raises ``ValueError`` where no problem is in both, and as
    :func:`~evalharness.statistics.pass_at_k` does.
    """
    tasks = [task for task in first if task in second]
    if not tasks:
        raise ValueError("the two have no problem in common: nothing can be compared")
    a, b = (np.array([pass_at_k(*counts[task], k) for task in tasks]) for counts in (first, second))
    n_a, n_b = (sum(counts[task][0] for task in tasks) for counts in (first, second))
    gained = tuple(task for task, x, y in zip(tasks, a, b, strict=True) if y > x)
    lost = tuple(task for task, x, y in zip(tasks, a, b, strict=True) if y < x)
    whole = bool(np.all(np.isin(a, (0, 1)) & np.isin(b, (0, 1))))
    p_value, p_fall = mcnemar(len(gained), len(lost)) if whole else sign_flips(b - a, seed=seed)
    return Comparison(
        problems=len(tasks),
        unpaired=len(first) + len(second) - 2 * len(tasks),
        first=share_over_problems(a, completions=n_a),
        second=share_over_problems(b, completions=n_b),
        difference=paired_difference(a, b),
        gained=gained,
        lost=lost,
        test="exact McNemar" if whole else "sign flips",
        p_value=p_value,
        p_fall=p_fall,
    )


def compare_shares(
    first: Mapping[str, Sequence[bool]], second: Mapping[str, Sequence[bool]], *, seed: int
) -> Comparison:
    """Compare a share of completions, such as that of the degenerate ones; ``{task_id: flags}`` each.

    Each problem counts alike, however many completions it has; one without any is left out. Otherwise as
    :func:`compare_pass_at_k`.
    """
    counts = [{task: (len(flags), sum(map(bool, flags))) for task, flags in flags_by_task.items() if len(flags)}
              for flags_by_task in (first, second)]  # fmt: skip
    return compare_pass_at_k(counts[0], counts[1], 1, seed=seed)


def has_fallen(comparison: Comparison, *, level: float = LEVEL, tolerance: float = 0.0) -> bool:
    """Whether the second is worse by more than ``tolerance`` (a share of 1), and not by chance at ``level``, one-sided.

    The significance keeps the rate of false alarms at ``level`` or below for two equal checkpoints; the tolerance keeps
    differences quiet that are real and too small to care for.
    """
    return comparison.p_fall <= level and -comparison.difference.estimate > tolerance


def paired_difference(first: Sequence[float] | Shares, second: Sequence[float] | Shares) -> Interval:
    """Return the mean difference, second less first, of shares paired by problem, with its 95 % interval.

    Bonett and Price (2012, Journal of Educational and Behavioral Statistics 37:479-488): the interval of Wald with one
    problem more that only the first solved and one that only the second did, here for shares between 0 and 1, too.
    Raises ``ValueError`` unless there are as many of one as of the other, and some.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or not a.size:
        raise ValueError(f"{a.size} and {b.size} problems: expected as many of both, and at least one")
    differences = b - a
    n = len(differences) + 2
    centre = float(differences.sum()) / n
    spread = (float((differences**2).sum()) + 2) / n - centre**2
    half = float(ndtri(0.5 + CONFIDENCE / 2)) * math.sqrt(spread / n)
    estimate = float(differences.mean())
    return Interval(estimate, max(-1.0, min(centre - half, estimate)), min(1.0, max(centre + half, estimate)))


def mcnemar(gained: int, lost: int) -> tuple[float, float]:
    """Return the p-values of the exact test of McNemar (1947): two-sided, and of a fall. 1 where no problem flipped."""
    return sign_test(gained, lost), float(binomial.at_least(lost, gained + lost, 0.5))


def sign_flips(differences: Sequence[float] | Shares, *, seed: int) -> tuple[float, float]:
    """Return the p-values of a paired randomisation test: two-sided, and of a fall (Fisher 1935, section 21).

    If the two checkpoints were alike, each problem's difference could as well have the other sign; the sum is compared
    with those of :data:`FLIPS` random choices of signs, of which it counts as one (Phipson and Smyth 2010). For
    differences of 1 and -1 this is McNemar's test.
    """
    values = np.asarray(differences, dtype=np.float64)
    # Differences of one size are interchangeable: how many of them are positive is binomial.
    sizes, counts = np.unique(np.round(np.abs(values[values != 0]), 12), return_counts=True)
    if not len(sizes):
        return 1.0, 1.0
    positive = np.random.default_rng(seed).binomial(counts[:, None], 0.5, size=(len(sizes), FLIPS))
    sums, total = sizes @ (2 * positive - counts[:, None]), float(values.sum())
    near = 1e-9  # sums of the same shares in another order are not the same to the last digit
    as_far = 1 + int(np.sum(np.abs(sums) >= abs(total) - near))
    as_low = 1 + int(np.sum(sums <= total + near))
    return as_far / (FLIPS + 1), as_low / (FLIPS + 1)


def detectable(difference: Interval) -> float:
    """Return the least true difference that an interval as wide as this would exclude 0 for in 80 of 100 cases.

    The normal approximation: 1.96 and 0.84 standard errors, of which half an interval has 1.96 (Cohen 1988, chapter 2).
    """
    z = float(ndtri(0.5 + CONFIDENCE / 2))
    return min(1.0, (difference.high - difference.low) / 2 / z * (z + float(ndtri(POWER))))


def detectable_by_mcnemar(problems: int, flipped: int) -> float | None:
    """Return the least true difference that McNemar's exact test at 5 % shows in 80 of 100 cases, to 0.1 %.

    As many of the ``problems`` are expected to flip as did, or as many as the difference needs. None where even a
    difference of 1 is not shown.
    """
    low, high = 0, 1_000  # in thousandths; the power rises with the difference
    if power_of_mcnemar(problems, 1.0, 1.0) < POWER:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        share = middle / 1_000
        enough = power_of_mcnemar(problems, max(flipped / problems, share), share) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return high / 1_000


def power_of_mcnemar(problems: int, flips: float, difference: float, *, level: float = LEVEL, sided: int = 2) -> float:
    """Return how often McNemar's exact test at ``level`` shows a true ``difference`` where a share ``flips`` flips.

    Exact, summed over how many problems flip and in which direction (Duffy 1984, Biometrics 40:1005-1015). ``sided`` is
    1 or 2; of a two-sided test only the right side counts as shown. Raises ``ValueError`` unless
    ``0 <= difference <= flips <= 1``.
    """
    if not 0 <= difference <= flips <= 1:
        raise ValueError(f"a difference of {difference} among flips of {flips}: expected 0 <= difference <= flips <= 1")
    if problems * flips < 1e-9:
        return 0.0
    flipped = np.arange(problems + 1)
    # The least number in one direction that is significant: the tail from it on is no more than the level.
    needed = flipped - binomial.quantile(level / sided, flipped, 0.5) + 1
    needed += binomial.at_least(needed, flipped, 0.5) > level / sided
    shown = binomial.at_least(needed, flipped, (flips + difference) / (2 * flips))
    return float(np.sum(binomial.exactly(flipped, problems, flips) * shown))
