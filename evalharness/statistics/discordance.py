"""Where the loss improved and the behaviour did not."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from evalharness.records import Interval
from evalharness.statistics.bootstrap import percentile_interval
from evalharness.statistics.comparison import paired_difference
from evalharness.statistics.correlation import resampled_means

if TYPE_CHECKING:
    from collections.abc import Sequence

    Matrix = npt.NDArray[np.float64]
NoShare = Literal["no_pair", "same_behaviour"]


@dataclass(frozen=True, slots=True)
class Change:
    """From one step to a later one: how the loss changed (nats) and how the behaviour did, each paired, with intervals.

    ``loss_improved``: the whole interval is below 0. ``behaviour_improved``: None where its interval has 0 inside,
    so that these problems don't tell.
    """

    from_step: int
    to_step: int
    loss_nats: Interval
    behaviour: Interval

    @property
    def loss_improved(self) -> bool:
        """Whether the loss fell by more than its own error."""
        return self.loss_nats.high < 0

    @property
    def behaviour_improved(self) -> bool | None:
        """Whether the behaviour improved (True) or became worse (False), where the problems tell."""
        if self.behaviour.low > 0:
            return True
        return False if self.behaviour.high < 0 else None


@dataclass(frozen=True, slots=True)
class Discordance:
    """The ``share`` of pairs of steps, of those where the loss improved, in which the behaviour did not.

    It is None if there is no such pair (``why_none`` is ``no_pair``), and if no problem's behaviour ever changes
    (``same_behaviour``): all pairs are discordant then, and resampling the problems could not say how sure that is.
    ``pairs`` counts those where the loss improved, ``of_pairs`` all. ``changes`` are those from each step to the next.
    """

    share: Interval | None
    pairs: int
    of_pairs: int
    changes: tuple[Change, ...]
    why_none: NoShare | None = None


def discordance(
    steps: Sequence[int],
    row_losses: Sequence[Sequence[float]] | Matrix,
    behaviour: Sequence[Sequence[float]] | Matrix,
    *,
    targets: Sequence[int] | None = None,
    seed: int,
) -> Discordance:
    """Return how often a better loss came without better behaviour.

    ``row_losses`` has shape ``(steps, rows)``, the mean loss in nats of each row of the validation data, recomputed at
    each step on the same rows; ``targets`` says how many targets each row has (alike, where it is left out).
    ``behaviour`` has shape ``(steps, problems)``, larger is better. Of all pairs of a step and a later one, those
    count where the loss fell by more than its own error: the 95 % interval of the difference, paired over rows, is
    below 0. Such a pair is discordant where the mean of the behaviour did not rise. This is the share of discordant
    pairs in Kendall's sense (1938), over the pairs that the loss decides, and a tie is discordant: a loss that improves
    while nothing changes misleads, too. Its interval is of resampled problems; where no problem's behaviour ever
    changes there is neither. Raises ``ValueError`` where the shapes don't fit.
    """
    losses, levels = np.asarray(row_losses, dtype=np.float64), np.asarray(behaviour, dtype=np.float64)
    weights = np.ones(losses.shape[-1]) if targets is None else np.asarray(targets, dtype=np.float64)
    shapes = losses.ndim == levels.ndim == 2 and len(losses) == len(levels) == len(steps)
    if not shapes or len(weights) != losses.shape[1] or not levels.shape[1] or list(steps) != sorted(set(steps)):
        raise ValueError(
            f"{len(steps)} steps, losses {losses.shape}, behaviour {levels.shape}, {len(weights)} weights: "
            "expected rising steps, and a row of losses and one of behaviour for each step"
        )
    pairs = list(itertools.combinations(range(len(steps)), 2))
    improved = [(i, j) for i, j in pairs if paired_loss_difference(losses[i], losses[j], weights).high < 0]
    changes = tuple(
        Change(
            steps[i], steps[i + 1], paired_loss_difference(losses[i], losses[i + 1], weights),
            paired_difference(levels[i], levels[i + 1]),
        )
        for i in range(len(steps) - 1)
    )  # fmt: skip
    why_none: NoShare | None = None
    if not improved:
        why_none = "no_pair"
    elif np.ptp(levels, axis=0).max() == 0:
        why_none = "same_behaviour"
    share = _share(levels, improved, seed) if why_none is None else None
    return Discordance(share, len(improved), len(pairs), changes, why_none)


def paired_loss_difference(first: Matrix, second: Matrix, targets: Matrix) -> Interval:
    """Return the mean difference of two losses on the same rows, second less first, with its 95 % interval in nats.

    The mean is over targets, so it is a ratio of sums over rows; its error is the linearised one of a ratio (Cochran
    1977, chapter 6) with Student's quantile. One row alone, or a difference that is no number, has no bounds.
    """
    differences, rows = second - first, len(targets)
    estimate = float((differences * targets).sum() / targets.sum())
    if rows < 2 or not np.isfinite(estimate):
        return Interval(estimate, -np.inf, np.inf)
    residuals = targets * (differences - estimate)
    error = float(np.sqrt((residuals**2).sum() * rows / (rows - 1)) / targets.sum())
    half = float(stdtrit(rows - 1, 0.975)) * error
    return Interval(estimate, estimate - half, estimate + half)


def _share(behaviour: Matrix, improved: Sequence[tuple[int, int]], seed: int) -> Interval:
    before, after = (np.array([pair[at] for pair in improved]) for at in (0, 1))

    def share(means: Matrix) -> Matrix:
        shares: Matrix = np.mean(means[:, after] <= means[:, before], axis=1)
        return shares

    estimate = float(share(np.round(behaviour.mean(axis=1), 9)[None])[0])
    return percentile_interval(estimate, np.concatenate([share(means) for means in resampled_means(behaviour, seed)]))
