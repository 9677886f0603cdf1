"""The loss of rows by a model that scores given ids and shows nothing else of itself: one behind a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalharness.diagnosis.losses.row_means import capped, mean
from evalharness.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.row_means import Floats
    from evalharness.models.protocols import Scorer
    from evalharness.records import Interval

AT_ONCE = 32
"""Rows that are asked for together; a server answers many at a time."""


@dataclass(frozen=True, slots=True)
class ScoredLoss:
    """The mean loss (nats per token) over ``targets`` of ``rows``, with its interval over rows."""

    nats: Interval
    targets: int
    rows: int


def scored_loss(
    model: Scorer, rows: Sequence[TokenRow], seed: int, advance: Callable[[int], None] = lambda _: None
) -> ScoredLoss | None:
    """The loss of the targets of ``rows`` that fit the context; None if fewer than two rows have one.

    ``advance`` is called with the number of rows that were scored. Raises :class:`EvaluationError` where the model
    gives no log-probability, or NaN.
    """
    fitting = [row for row in rows if len(_ids(model, row)) > row.first_target]
    if len(fitting) < 2:
        return None
    losses = list(_counted(model, fitting, advance))
    return ScoredLoss(mean(losses, seed), sum(map(len, losses)), len(losses))


def _ids(model: Scorer, row: TokenRow) -> tuple[int, ...]:
    """The ids of a row that fit: a server writes at least one token after what it is given."""
    return row.ids if model.context_length is None else row.ids[: model.context_length - 1]


def _counted(model: Scorer, rows: Sequence[TokenRow], advance: Callable[[int], None]) -> Iterator[Floats]:
    """The losses (nats) of each row's own targets."""
    for begin in range(0, len(rows), AT_ONCE):
        batch = rows[begin : begin + AT_ONCE]
        for row, log_p in zip(batch, model.score([_ids(model, row) for row in batch]), strict=True):
            losses = -np.array(log_p)[row.first_target - 1 :]
            if np.isnan(losses).any():
                raise EvaluationError(f"the model returns NaN on {len(row.ids)} tokens of its own data")
            yield capped(losses)
        advance(len(batch))
