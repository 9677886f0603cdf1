"""The study's picture: the validation losses of the trainings by step, and what each way comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.figures.canvas import BLUE, GREEN, ORANGE, RED, canvas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from four_reports import Logged, Scored
    from matplotlib.axes import Axes

    from evalharness.records import Interval

HEIGHT_IN = 3.2
COLOURS = {"right": BLUE, "no_end": GREEN, "plain": ORANGE, "high_rate": RED}
NATS = (1, 3, 10, 30)
"""The marks of the logarithmic axis of losses."""
SOLVED, DEGENERATE = "s", "x"
"""The marks of what is solved and of what is degenerate."""
APART = 0.12
"""How far above and below a way's line its two shares stand."""


def overview_of_ways(trainings: Sequence[Logged], scored: Sequence[Scored]) -> bytes:
    """Draw as an SVG the losses of every training (nats per token), and each way's behaviour (%)."""
    with canvas(HEIGHT_IN) as drawn:
        left, right = drawn.figure.subplots(1, 2)
        draw_losses_by_step(left, trainings)
        draw_behaviour(right, scored)
    return drawn.file


def draw_losses_by_step(axes: Axes, trainings: Sequence[Logged]) -> None:
    for item in trainings:
        name = item.training.name
        axes.plot(*zip(*item.by_step.items(), strict=True), "o-", markersize=3.5, color=COLOURS[name], label=name)
    axes.set_title("Validation loss, as logged")
    axes.set_xlabel("training step")
    axes.set_ylabel("nats per token (log scale)")
    axes.set_yscale("log")
    axes.set_yticks(NATS, map(str, NATS))
    axes.minorticks_off()
    axes.legend()


def draw_behaviour(axes: Axes, scored: Sequence[Scored]) -> None:
    """Draw greedy pass@1 as squares, the degenerate share of sampled completions as crosses."""
    for place, item in enumerate(scored):
        draw_interval(axes, place - APART, item.solved, COLOURS[item.way.name], SOLVED)
        draw_interval(axes, place + APART, item.degenerate, COLOURS[item.way.name], DEGENERATE)
    axes.set_yticks(range(len(scored)), [item.way.name for item in scored])
    axes.invert_yaxis()
    axes.set_xlim(-4, 104)
    axes.set_title("Solved ■, degenerate ×")
    axes.set_xlabel("share (%)")


def draw_interval(axes: Axes, height: float, share: Interval, colour: str, mark: str) -> None:
    low, value, high = (100 * bound for bound in (share.low, share.estimate, share.high))
    axes.plot([low, high], [height, height], color=colour, linewidth=1.2)
    axes.plot(value, height, mark, color=colour, markersize=5)
