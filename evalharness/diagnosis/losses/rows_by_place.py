"""Whether the model knows one part of the training file and not the rest: what alone was trained on, or seen late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from evalharness.diagnosis.losses.frequencies import fair_frequencies
from evalharness.diagnosis.losses.row_means import counted_nll, mean
from evalharness.diagnosis.losses.training_agreement import latest_training

if TYPE_CHECKING:
    import numpy.typing as npt

    from evalharness.diagnosis.losses.row_means import Floats
    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Split
    from evalharness.records import Interval

    Side = npt.NDArray[np.bool_]
    Indices = npt.NDArray[np.intp]

END_ROWS = 32
"""Rows at either end of the file that are measured besides those spread over it: a batch or two."""
FEWEST_KNOWN, FEWEST_OTHERS = 8, 16
"""Fewer rows on either side may be alike by chance."""
APART = 0.95
"""The share of pairs of rows, one of each side, of which the known one has the lower loss."""
BETTER = 0.5
"""Rows that were trained on, or seen late, cost half of what the others do or less."""
BEYOND = 0.85
"""And of what they cost by frequencies no more than this, where the others cost as much or more."""
BY_FREQUENCY = 0.5
"""Rows that frequencies alone make as much easier, or half as much, are easier and not better known."""
SHUFFLES = 200
MOST_BY_CHANCE = 0.01
"""The p-value of a part that stands out: how many shuffles of the rows have a part that stands out as much."""
IN_THE_LOG = 0.7
"""The logged training loss is below this share of the loss of all training rows: it was another part of them."""


@dataclass(frozen=True, slots=True)
class KnownPart:
    """Rows ``first`` to ``last`` of the file's ``rows``, counted from 1, are known; losses in nats per token.

    ``p_value``: how many shuffles of the rows have a part that stands out as much, with this order counted as one of
    them (a permutation test of the largest difference). ``logged_train_nats``: the training loss that was logged last,
    None without one.
    """

    place: Literal["first", "last", "middle"]
    first: int
    last: int
    rows: int
    known: Interval
    others: Interval
    p_value: float
    logged_train_nats: float | None


def known_part(measured: Measured) -> KnownPart | None:
    """The part of the training file that the model knows far better than the rest; None if a second figure is missing.

    Either the training loss that was logged last is too low for all training rows, and no less than that of the known
    ones; or of the others the model knows no more than which token follows which in this file, where it was trained on
    them. Costs a pass for each row at the ends of the file, where one of these may be so.
    """
    split, logged = measured.subject.train, latest_training(measured)
    if split is None or len(split.encoded) != len(split.rows) or not measured.train_losses:
        return None
    if measured.subject.logged is not None and measured.established.shown_by is None:
        return None  # of a model that is not as it was trained, what it knows tells nothing of its training
    every = float(_own(measured.train_losses).mean())
    dull = float(_by_frequency(measured, measured.train_losses).mean())
    low = logged if logged is not None and logged <= IN_THE_LOG * every else None
    if low is None and every < dull:
        return None
    losses = _by_place(measured, split)
    values, frequent = _own(losses), _by_frequency(measured, losses)
    begins, ends = _stretches(len(values))
    if not len(begins):
        return None
    best, p_value = _stands_out(values, begins, ends, measured.subject.seed)
    places = np.arange(len(values))
    side = (places >= begins[best]) & (places < ends[best])
    if p_value > MOST_BY_CHANCE or not _is_known(values, side) or _is_easier(frequent, values, side):
        return None
    part = _part(measured, split, losses, side, p_value, logged)
    in_the_log = low is not None and low <= max(2 * part.known.high, part.others.low)
    return part if in_the_log or _are_unknown(frequent, values, side) else None


def _own(losses: TokenLosses) -> Floats:
    """The mean loss of each row."""
    return np.array([float(counted_nll(row).mean()) for row in losses])


def _by_frequency(measured: Measured, losses: TokenLosses) -> Floats:
    """The same by which token follows which in the training rows."""
    frequencies, _ = fair_frequencies(measured)
    return np.array([float(frequencies.bigram_losses(row.row).mean()) for row in losses])


def _by_place(measured: Measured, split: Split) -> TokenLosses:
    """The losses of rows at both ends and of those that are measured anyway, in the order of the file."""
    ends = {row.row for row in (*split.encoded[:END_ROWS], *split.encoded[-END_ROWS:])}
    chosen = ends | {row.row for row in split.measured}
    rows = [row for row in measured.rows(split) if row.row in chosen]
    return tuple(row for row in measured.losses_of(rows) if len(counted_nll(row)))


def _stretches(count: int) -> tuple[Indices, Indices]:
    """Where every stretch of rows begins, and where it ends (exclusive)."""
    begins, ends = np.triu_indices(count + 1, FEWEST_KNOWN)
    few = ends - begins <= count - FEWEST_OTHERS
    return begins[few], ends[few]


def _stands_out(values: Floats, begins: Indices, ends: Indices, seed: int) -> tuple[int, float]:
    """The stretch that explains most of the variance, and the p-value of that among shuffles of the rows."""
    gains = _gains(values, begins, ends)
    generator = np.random.default_rng(seed)
    as_good = sum(
        bool(_gains(generator.permutation(values), begins, ends).max() >= gains.max()) for _ in range(SHUFFLES)
    )
    return int(gains.argmax()), (1 + as_good) / (1 + SHUFFLES)


def _gains(values: Floats, begins: Indices, ends: Indices) -> Floats:
    """What each cut explains of the variance: the difference of the two means, weighed by the rows of both sides."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    known, rows = sums[ends] - sums[begins], ends - begins
    share = rows / len(values)
    gains: Floats = ((sums[-1] - known) / (len(values) - rows) - known / rows) * np.sqrt(share * (1 - share))
    return gains


def _is_known(values: Floats, known: Side) -> bool:
    one, others = values[known], values[~known]
    pairs = float((one[:, None] < others[None, :]).mean())
    return pairs >= APART and float(one.mean()) <= BETTER * float(others.mean())


def _is_easier(frequent: Floats, values: Floats, known: Side) -> bool:
    """Whether frequencies explain a good part of the difference: short or dull rows stand together in many files."""
    dull, own = (float(losses[~known].mean() - losses[known].mean()) for losses in (frequent, values))
    return dull > BY_FREQUENCY * own


def _are_unknown(frequent: Floats, values: Floats, known: Side) -> bool:
    """Whether the model is worse than frequencies at the other rows, and far better at the known ones."""
    others_are = float(values[~known].mean()) >= float(frequent[~known].mean())
    return others_are and float(values[known].mean()) <= BEYOND * float(frequent[known].mean())


def _part(
    measured: Measured, split: Split, losses: TokenLosses, known: Side, p_value: float, logged: float | None
) -> KnownPart:
    one, others = (
        mean([counted_nll(row) for row, chosen in zip(losses, side, strict=True) if chosen], measured.subject.seed)
        for side in (known, ~known)
    )
    places = [row.row.row + 1 for row, chosen in zip(losses, known, strict=True) if chosen]
    place: Literal["first", "last", "middle"] = "first" if known[0] else "last" if known[-1] else "middle"
    first, last = (1 if known[0] else places[0]), (len(split.rows) if known[-1] else places[-1])
    return KnownPart(place, first, last, len(split.rows), one, others, p_value, logged)
