"""How far behaviour and loss go together along the steps of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from evalharness.statistics.bootstrap import percentile_interval, resampled_sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import Interval

    Matrix = npt.NDArray[np.float64]

RESAMPLES = 2_000
MIN_POINTS = 5
"""Of four points in any order, one order in twelve is perfect: a rank correlation says nothing there."""
_RESAMPLES_AT_ONCE = 500
_UNDEFINED_ALLOWED = 0.05
"""Where more resamples than these have no correlation at all, the others are no fair picture."""


NoCorrelationKind = Literal["too_few_points", "constant_loss", "constant_behaviour", "too_few_problems_differ"]


@dataclass(frozen=True, slots=True)
class NoCorrelation:
    """Why there is no correlation; ``str()`` of it is a phrase. ``points`` is how many there are, if too few."""

    kind: NoCorrelationKind
    points: int | None = None

    def __str__(self) -> str:
        match self.kind:
            case "too_few_points":
                counted = f"{self.points} point{'' if self.points == 1 else 's'}"
                return f"{counted}: a rank correlation needs at least {MIN_POINTS}"
            case "constant_loss":
                return "the loss is the same at every point"
            case "constant_behaviour":
                return "the behaviour is the same at every point"
            case "too_few_problems_differ":
                return "the behaviour differs in too few problems"


@dataclass(frozen=True, slots=True)
class Correlation:
    """A rank correlation over ``points`` steps (or changes between steps), -1 to 1; None with the ``reason`` why not.

    The interval says how far the choice of problems moves it. It does not say what other steps of the same run, or
    another run, would have shown: steps follow from each other, so no p-value is given and none follows from it.
    """

    rho: Interval | None
    points: int
    reason: NoCorrelation | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Loss against one measure of behaviour: on the levels, and on the changes from step to step.

    Two series that both only drift agree on their levels whatever they are; the changes tell whether they move
    together. ``left_out`` counts the steps whose loss is NaN or infinite.
    """

    levels: Correlation
    changes: Correlation
    left_out: int


def correlate(behaviour: Sequence[Sequence[float]] | Matrix, losses: Sequence[float], *, seed: int) -> Agreement:
    """Return Spearman's rank correlation (1904) of behaviour and loss over the steps of a run, in their order.

    ``behaviour`` has shape ``(steps, problems)``: what each problem's share was at each step; ``losses`` one value in
    nats a step. Ranks are means where values are equal. The 95 % intervals are percentiles over resampled problems
    (Efron and Tibshirani 1993, section 13.3), the same for all steps, so that each resample is a run over other
    problems. Raises ``ValueError`` where the shapes don't fit or there are no problems.
    """
    levels, nats = np.asarray(behaviour, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    if levels.ndim != 2 or levels.shape[0] != len(nats) or not levels.shape[1]:
        raise ValueError(
            f"behaviour of shape {levels.shape} and {len(nats)} losses: expected a row of problems per loss"
        )
    finite = np.isfinite(nats)
    levels, nats = levels[finite], nats[finite]
    return Agreement(
        levels=_correlation(levels, nats, seed),
        changes=_correlation(np.diff(levels, axis=0), np.diff(nats), seed),
        left_out=int(np.sum(~finite)),
    )


def _correlation(behaviour: Matrix, losses: Matrix, seed: int) -> Correlation:
    points = len(losses)
    if points < MIN_POINTS:
        return Correlation(None, points, NoCorrelation("too_few_points", points))
    if np.ptp(losses) == 0:
        return Correlation(None, points, NoCorrelation("constant_loss"))
    estimate = float(spearman(behaviour.mean(axis=1)[None], losses)[0])
    if np.isnan(estimate):
        return Correlation(None, points, NoCorrelation("constant_behaviour"))
    correlations = np.concatenate([spearman(means, losses) for means in resampled_means(behaviour, seed)])
    defined = correlations[~np.isnan(correlations)]
    if len(defined) < (1 - _UNDEFINED_ALLOWED) * len(correlations):
        return Correlation(None, points, NoCorrelation("too_few_problems_differ"))
    return Correlation(percentile_interval(estimate, defined), points)


def resampled_means(values: Matrix, seed: int) -> Iterator[Matrix]:
    """Yield the means over :data:`RESAMPLES` resamples of the columns, in parts of shape ``(resamples, rows)``."""
    rng, columns = np.random.default_rng(seed), values.shape[1]
    for sums in resampled_sums(values.T, rng, resamples=RESAMPLES, at_once=_RESAMPLES_AT_ONCE):
        # To a billionth, so that equal means are equal in whatever order they were summed: ranks depend on that.
        yield np.round(sums / columns, 9)


def spearman(series: Matrix, losses: Matrix) -> Matrix:
    """Return the rank correlation of each row of ``series`` with ``losses``; NaN where either is constant."""
    ranks, (of_losses,) = _centred_ranks(np.round(series, 9)), _centred_ranks(losses[None])
    scale = np.sqrt((ranks**2).sum(axis=1) * (of_losses**2).sum())
    correlations: Matrix = np.divide(ranks @ of_losses, scale, out=np.full(len(ranks), np.nan), where=scale > 0)
    return correlations


def _centred_ranks(rows: Matrix) -> Matrix:
    """The ranks in each row less their mean; those of equal values are the mean of theirs."""
    # Whoever asks has frames already; ``scipy.stats`` would take half a second more.
    import pandas as pd  # noqa: PLC0415

    ranks = pd.DataFrame(rows).rank(axis=1).to_numpy()
    centred: Matrix = ranks - ranks.mean(axis=1, keepdims=True)
    return centred
