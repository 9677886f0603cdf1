"""Means over the targets of measured rows, as several probes take them: intervals over rows, nothing infinite."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evalharness.statistics import ratio_over_rows
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.diagnosis.losses.token_losses import RowLosses, TokenLosses
    from evalharness.records import Interval

FEWEST_ROWS = 5
"""Fewer rows give no interval worth the name: of four, a bootstrap leaves one out of every third resample or so."""
CEILING_NATS = 50.0
"""A loss above this counts as this: a model may hold an id out by -infinity, and one such target is not a mean."""

Floats = npt.NDArray[np.float64]


def counted_nll(row: RowLosses) -> Floats:
    """The losses (nats) of the row's own targets, none above the ceiling."""
    return capped(row.nll_nats[row.counted])


def capped(losses: Floats) -> Floats:
    """Losses of which none is above the ceiling; NaN stays NaN."""
    return np.minimum(losses, CEILING_NATS)


def mean(values: Iterable[Floats], seed: int) -> Interval:
    """The mean of all values, an array a row, with its interval over rows. Raises ``ValueError`` without values."""
    rows = list(values)
    return ratio_over_rows([float(row.sum()) for row in rows], [float(len(row)) for row in rows], seed=seed)


def too_few(losses: TokenLosses) -> str | None:
    """Why no interval can be given, or None."""
    if len(losses) >= FEWEST_ROWS:
        return None
    return (
        f"{counted(len(losses), 'row with targets gives', 'rows with targets give')} no interval: at least "
        f"{FEWEST_ROWS} are needed"
    )


def figures(name: str, interval: Interval) -> dict[str, float]:
    """An interval as evidence: plain numbers under names that carry their unit."""
    return {f"{name}_nats": interval.estimate, f"{name}_low_nats": interval.low, f"{name}_high_nats": interval.high}


def shown(interval: Interval, digits: int = 3) -> str:
    """``0.412 [0.390, 0.433]``."""
    return f"{interval.estimate:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def bits(nats: float) -> float:
    """Nats as bits."""
    return nats / math.log(2)
