"""What a model gives the end token where rows truly end, and whether a tuning taught it anything there."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.row_ends import end_place
from evalharness.statistics import mean_over_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.token_losses import RowLosses
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Interval

RAISED = 2.0
"""A tuning that counts the end at least doubles its probability at true ends, where that is below its frequency."""
LEARNED_NATS = 0.05
"""By how much the loss of the text has to have fallen: a tuning that taught no text yet taught no ends either."""
HELD_OUT = math.log(1e-30)
"""A held-out id has probability 0: beside it a mean of logarithms would know nothing else any more."""


@dataclass(frozen=True, slots=True)
class TrueEnd:
    """One row without its end tokens: its targets, their losses, and what the end would get after it.

    ``best``: the most probable id at each target and at the end, ``len(ids) + 1``.
    """

    ids: tuple[int, ...]
    best: tuple[int, ...]
    nll_nats: tuple[float, ...]
    end_log_p: float
    rank: int


@dataclass(frozen=True, slots=True)
class NotTaught:
    """A tuning that taught the text of rows, and not their end.

    ``p_before``: the end's probability at true ends before it (a geometric mean). ``end_log``: by how much its
    logarithm rose. ``text_fell_nats``: by how much the loss of the text fell (nats per token). Intervals are over rows.
    """

    p_before: float
    end_log: Interval
    text_fell_nats: Interval


@dataclass(frozen=True, slots=True)
class NotCounted:
    """A logged loss (nats per token) that is that of rows without their ends, and not that of rows with them."""

    logged_nats: float
    without_nats: float
    with_nats: float


def not_counted(measured: Measured) -> NotCounted | None:
    """Whether the log counts no ends, as far as the two losses are known exactly and far enough from each other."""
    logged, shown_by = measured.subject.logged, measured.established.shown_by
    if logged is None or shown_by is None or shown_by.convention.end is not False or shown_by.exact is None:
        return None
    ended = [
        item
        for item in measured.conventions
        if replace(item.convention, end=False) == shown_by.convention and item.convention.end is not False
    ]
    if not ended or any(item.reproduces(logged.loss_nats) for item in ended):
        return None
    return NotCounted(logged.loss_nats, shown_by.loss_nats.estimate, ended[0].loss_nats.estimate)


def true_ends(measured: Measured, rows: Iterable[TokenRow]) -> list[TrueEnd]:
    """What stands before the end of each row, and what the end would get there."""
    return [_of(losses) for losses in measured.losses_of(_ended(measured, rows))]


def not_taught(measured: Measured, rows: Sequence[TokenRow], ends: Sequence[TrueEnd]) -> NotTaught | None:
    """Compare ``ends`` of ``rows`` with those of the model before; None without one, and where it is not so.

    Costs a forward pass of the model before for each row.
    """
    before = [_of(losses) for losses in measured.losses_before_of(_ended(measured, rows))]
    pairs = [(old, new) for old, new in zip(before, ends, strict=False) if new.nll_nats]
    if len(before) != len(ends) or len(pairs) < 2:
        return None
    seed = measured.subject.seed
    end = mean_over_rows({i: [new.end_log_p - old.end_log_p] for i, (old, new) in enumerate(pairs)}, seed=seed)
    text = {i: [fmean(old.nll_nats) - fmean(new.nll_nats)] for i, (old, new) in enumerate(pairs)}
    fell = mean_over_rows(text, seed=seed)
    if end.high >= math.log(RAISED) or fell.low <= LEARNED_NATS:
        return None
    return NotTaught(math.exp(fmean(old.end_log_p for old, _ in pairs)), end, fell)


def _ended(measured: Measured, rows: Iterable[TokenRow]) -> list[TokenRow]:
    """The rows with one end token right behind their text."""
    ends, end = measured.subject.end_ids, measured.passes.end_id or 0
    return [replace(row, ids=(*_without_ends(row, ends), end)) for row in rows]


def _without_ends(row: TokenRow, end_ids: frozenset[int]) -> tuple[int, ...]:
    last = end_place(row, end_ids)
    last = len(row.ids) if last is None else last
    while last > 1 and row.ids[last - 1] in end_ids:
        last -= 1
    return row.ids[:last]


def _of(losses: RowLosses) -> TrueEnd:
    first = losses.row.first_target
    return TrueEnd(
        losses.row.ids[first:-1],
        tuple(losses.best[first - 1 :].tolist()),
        tuple(losses.nll_nats[first - 1 : -1].tolist()),
        max(float(losses.end_log_p[-1]), HELD_OUT),
        int(losses.end_rank[-1]),
    )
