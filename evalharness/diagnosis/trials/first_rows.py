"""What the first few rows say of a repair: whether it is worth to read more of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from evalharness.diagnosis.losses.counted_losses import mean_nats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.counted_losses import CountedRow, Counting

FIRST_ROWS, FIRST_IDS = 2, 128
"""Rows after each of which is asked whether to go on, those nearest to this length: long enough for a wrong rotary base
to show, and cheap."""
LITTLE = 0.1
"""Of a repair that takes these rows less than this share of the way to the log no further row is read."""


def first_ones_first(rows: Sequence[TokenRow]) -> tuple[TokenRow, ...]:
    """The rows in the order in which they are read."""
    return tuple(sorted(rows, key=lambda row: abs(len(row.ids) - FIRST_IDS)))


def approaches(gaps_nats: Mapping[Counting, float], before: Sequence[CountedRow], after: Sequence[CountedRow]) -> bool:
    """Whether rows come nearer to the log, in some way to count, by a share of the gap that is worth another row.

    ``gaps_nats``: by how much the loss of all rows is above the log.
    """
    return any(_approaches(how, gap, before, after) for how, gap in gaps_nats.items())


def _approaches(how: Counting, gap_nats: float, before: Sequence[CountedRow], after: Sequence[CountedRow]) -> bool:
    old, new = mean_nats(before, how), mean_nats(after, how)
    if old is None or new is None:
        return False
    return (old - new) * math.copysign(1.0, gap_nats) > LITTLE * abs(gap_nats)
