"""What later tokens are worth to a model that can see them: nothing, until it has learned to use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.losses.honest import paired_loss
from evalharness.diagnosis.losses.row_means import too_few
from evalharness.statistics import ratio_over_rows

if TYPE_CHECKING:
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Interval

ROWS, TARGETS = 32, 128
"""Each target costs a pass over the tokens before it. A leak that is used is worth much of the loss: few show it."""


def leak_worth(measured: Measured) -> Interval | None:
    """Honest less parallel loss (nats per token) of some rows, with its interval over rows; None with too few rows.

    Above 0 the model uses the tokens after its targets; below 0 they harm it, as in a model that lost its mask after
    training.
    """
    losses = evenly(measured.losses_as_read, ROWS)
    if too_few(losses):
        return None
    subject = measured.subject
    both = paired_loss(
        subject.torch_model, losses, targets=TARGETS, seed=subject.seed, shortest=measured.shortest_input
    )
    worth = [(row.honest_nats - row.parallel_nats) * row.targets for row in both.by_row]
    return ratio_over_rows(worth, [float(row.targets) for row in both.by_row], seed=subject.seed)
