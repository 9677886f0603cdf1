"""The study's picture: the loss that each series logged, the honest one, and how it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from series import SERIES, has_mask

from evalharness.report.figures.canvas import BLUE, GREY, RED, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from measured import Point, Study

    from evalharness.records import Interval


def overview(study: Study) -> bytes:
    """Draw the last step of every series as an SVG: its losses (nats per token), and its completions (%)."""
    with canvas(0.42 * len(SERIES) + 1.3) as drawn:
        left, right = drawn.figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        for place, name in enumerate(SERIES):
            colour, point = BLUE if has_mask(name) else RED, study.last(name)
            draw_losses(left, place, point, colour)
            draw_share(right, place, point.newlines, colour)
        left.set_yticks(range(len(SERIES)), [*SERIES])
        left.invert_yaxis()
        left.set_xscale("log")
        left.set_xticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
        left.set_title("Loss, as logged (ring) and honest (dot)")
        left.set_xlabel("nats per token (log scale)")
        right.set_xlim(-4, 104)
        right.set_title("Loops of newlines")
        right.set_xlabel("sampled completions (%)")
    return drawn.file


def draw_losses(axes: Axes, place: int, point: Point, colour: str) -> None:
    axes.plot([point.logged, point.honest.estimate], [place, place], color=GREY, linewidth=1.2, zorder=1)
    axes.plot(point.logged, place, "o", markerfacecolor="white", color=colour)
    axes.plot(point.honest.estimate, place, "o", color=colour, markersize=4)


def draw_share(axes: Axes, place: int, measured: Interval, colour: str) -> None:
    low, value, high = (100 * bound for bound in (measured.low, measured.estimate, measured.high))
    axes.plot([low, high], [place, place], color=colour, linewidth=1.2)
    axes.plot(value, place, "s", color=colour, markersize=5)
