"""How numbers are written: in one place, so that the card, the reports and the figures agree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalharness.records import Interval


def percent(share: float) -> str:
    """Return a fraction of 1 as ``"0.0 %"``."""
    return f"{100 * share:.1f} %"


def percent_interval(interval: Interval) -> str:
    """Return a fraction with its confidence interval as ``"0.0 % [0.0, 2.3]"``."""
    return f"{percent(interval.estimate)} {percent_bounds(interval)}"


def percent_bounds(interval: Interval) -> str:
    """Return the confidence interval of a fraction alone."""
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def number(value: int | None) -> str:
    """Return ``"1,200"``, or that it is not recorded."""
    return "not recorded" if value is None else f"{value:,}"


def nats(value: float) -> str:
    """Return a loss or an entropy with as many decimals as two neighbouring evaluations of one run need to differ."""
    magnitude = abs(value)
    if not math.isfinite(value) or magnitude >= 1000:
        return f"{value:.4g}"
    if 0 < magnitude < 0.001:
        return f"{value:.1e}"
    return f"{value:.4f}" if magnitude < 1 else f"{value:.3f}"


def bits(per_byte: float | None) -> str:
    """Return a loss in bits per byte of text, or a dash if it is not known."""
    return "–" if per_byte is None else nats(per_byte)


def nats_interval(interval: Interval) -> str:
    """Return a loss with its confidence interval as ``"4.213 [4.101, 4.312]"``; one row alone gives none."""
    bounds = nats_bounds(interval)
    return f"{nats(interval.estimate)} {bounds}" if bounds else f"{nats(interval.estimate)} (no interval)"


def nats_bounds(interval: Interval) -> str:
    """Return the bounds alone as ``"[4.101, 4.312]"``, or nothing if they are not finite."""
    return f"[{nats(interval.low)}, {nats(interval.high)}]" if is_bounded(interval) else ""


def is_bounded(interval: Interval) -> bool:
    """Whether both ends of the interval are finite."""
    return math.isfinite(interval.low) and math.isfinite(interval.high)


def times(ratio: float) -> str:
    """Return a factor as ``"354 times"``; from a thousand on no interval of a loss supports more than two digits."""
    if ratio >= 1000:
        return f"about {float(f'{ratio:.2g}'):,.0f} times"
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def relative_change(first: float, last: float) -> str:
    """Return by how much the second loss is lower than the first: ``"36 % lower"``."""
    if first <= 0:
        return f"{last - first:+.3g} nats"
    change = 100 * (last - first) / first
    return f"{abs(change):.0f} % {'lower' if change <= 0 else 'higher'}"
