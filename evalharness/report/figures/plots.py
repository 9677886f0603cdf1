"""The figures: plain data in, a file out: SVG, PNG or PDF by ``file_format``. The same data gives the same bytes.

With ``ax``, axes of your own, a figure is drawn there, under your own settings of matplotlib, and no file is made.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evalharness.report.figures.canvas import BLUE, GREY, INK, ORANGE, RED, canvas, drawable
from evalharness.report.numbers import nats, percent, percent_interval
from evalharness.report.shares import KINDS
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from matplotlib.axes import Axes

    from evalharness.records import Interval, LossPoint, PartLoss
    from evalharness.report.figures.canvas import Canvas, FigureFormat

MIN_COMPLETIONS = 5
"""A band over fewer completions than these says nothing, so it ends where fewer go on (all, where there are fewer)."""
DECADE = 10.0
"""Losses whose largest is more than this many times their smallest are drawn on a logarithmic axis."""
FLAT_FROM = 0.5
"""Of losses whose smallest is more than this share of the largest, half of an axis from 0 would be empty."""
MIN_ENTROPY_SHOWN = 0.1
"""The least that an axis of entropies reaches to, in nats: a model that is always sure is at its foot."""
ONSET_BINS = 48
ONSET_WINDOW = 64
"""Tokens drawn on each side of a loop's onset: as many as generation waits for before it stops a loop."""


class _Marker(NamedTuple):
    label: str
    colour: str
    fill: str
    size: float


_RECOMPUTED = _Marker("recomputed", BLUE, "white", 10.0)
_HONEST = _Marker("honest (no future tokens)", RED, RED, 5.5)


def losses_figure(
    points: Sequence[LossPoint],
    *,
    step: int | None,
    recomputed: Interval | None,
    honest: Interval | None,
    file_format: FigureFormat = "svg",
    ax: Axes | None = None,
) -> bytes:
    """Draw the logged losses (nats) over steps, with the losses that were measured at ``step``.

    Where the step is not known a measured loss is a line across the figure. Losses that are not finite are left out.
    """
    with canvas(3.9, file_format, ax) as drawn:
        axes = drawn.axes("Logged and measured loss", "training step", "loss (nats per token)")
        values = [point.loss_nats for point in points]
        for split, colour, label in (("train", GREY, "logged, training"), ("validation", BLUE, "logged, validation")):
            _logged(axes, [p for p in points if p.split == split], colour, label)
        # The honest loss is drawn last and small: where the two agree it lies inside the other's ring.
        for interval, marker in ((recomputed, _RECOMPUTED), (honest, _HONEST)):
            if interval is not None and math.isfinite(interval.estimate):
                _measured(axes, interval, step, marker)
                values += [interval.estimate, interval.low, interval.high]
        if step is not None and recomputed is not None and honest is not None:
            axes.vlines(step, *sorted((recomputed.estimate, honest.estimate)), color=RED, linestyle=":", linewidth=1.4)
        _whole_numbers(axes)
        loss_axis(axes, values)
        drawn.legend_below(axes)
    return drawn.file


def loss_by_class_figure(
    parts: Sequence[PartLoss], *, file_format: FigureFormat = "svg", ax: Axes | None = None
) -> bytes:
    """Draw the loss (nats per token) of each part of the targets with its interval, after training and before it."""
    with canvas(1.7 + 0.5 * len(parts), file_format, ax) as drawn:
        axes = drawn.axes("Loss by kind of token", "loss (nats per token), with 95 % confidence interval", "")
        before = [(y, part.before_nats) for y, part in enumerate(parts) if part.before_nats is not None]
        after = [(y, part.after_nats) for y, part in enumerate(parts)]
        for points, offset, colour, marker, label in (
            (before, -0.13, GREY, "s", "before training"),
            (after, 0.13 if before else 0.0, BLUE, "o", "this checkpoint"),
        ):
            for i, (y, interval) in enumerate(points):
                axes.hlines(y + offset, interval.low, interval.high, color=colour, linewidth=2.2)
                axes.plot(
                    interval.estimate, y + offset, marker, color=colour, markersize=7, label=label if i == 0 else None
                )
        for y, part in enumerate(parts):
            note = f"{percent(part.share_of_targets.estimate)} of targets"
            if part.share_of_fall is not None:
                note += f"\n{percent(part.share_of_fall.estimate)} of the drop"
            axes.annotate(note, (1.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=8.5)
        axes.set_yticks(range(len(parts)), [drawable(part.name) for part in parts])
        axes.set_ylim(len(parts) - 0.4, -0.6)
        axes.set_xlim(left=0)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0, pad=9)
        if before:
            drawn.legend_below(axes)
    return drawn.file


def pass_at_1_figure(
    rows: Sequence[tuple[str, str, Interval]], *, file_format: FigureFormat = "svg", ax: Axes | None = None
) -> bytes:
    """Draw pass@1 with its interval for each ``(problem set, decoding, share)``, from top to bottom."""
    styles = {"greedy": (BLUE, "o"), "sampled": (ORANGE, "D")}
    with canvas(1.5 + 0.42 * len(rows), file_format, ax) as drawn:
        axes = drawn.axes("Problems solved at the first attempt", "pass@1 (%), with 95 % confidence interval", "")
        for y, (_, decoding, share) in enumerate(rows):
            colour, marker = styles.get(decoding, (INK, "s"))
            axes.hlines(y, 100 * share.low, 100 * share.high, color=colour, linewidth=2.2)
            axes.plot(100 * share.estimate, y, marker, color=colour, markersize=7.5, clip_on=False, zorder=3)
            axes.annotate(percent_interval(share), (1.02, y), xycoords=("axes fraction", "data"), va="center")
        axes.set_yticks(range(len(rows)), [drawable(f"{name}, {decoding}") for name, decoding, _ in rows])
        axes.set_ylim(len(rows) - 0.45, -0.55)
        axes.set_xlim(0, _round_up([100 * share.high for _, _, share in rows]))
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0, pad=9)
    return drawn.file


def entropy_figure(
    degenerate: Sequence[Sequence[float]],
    sound: Sequence[Sequence[float]],
    *,
    file_format: FigureFormat = "svg",
    ax: Axes | None = None,
) -> bytes:
    """Draw the entropy (nats) of the model's predictions along completions, those that are degenerate apart.

    Each sequence is one completion, one value a token. A position counts the completions that reach it.
    """
    with canvas(3.7, file_format, ax) as drawn:
        axes = drawn.axes(
            "Entropy of the next-token prediction",
            "position in the completion (tokens)",
            "predictive entropy (nats)",
        )
        for completions, colour, dash, label in (
            (degenerate, RED, "--", "degenerate"),
            (sound, BLUE, "-", "not degenerate"),
        ):
            written = [c for c in completions if len(c)]
            if written:
                quartiles = quartiles_by_position(written)
                _band(
                    axes, np.arange(quartiles.shape[1]), quartiles, colour, dash, f"{label}: median of {len(written):,}"
                )
        axes.set_xlim(left=0)
        _entropy_axes(drawn, axes)
    return drawn.file


def entropy_at_onset_figure(
    completions: Sequence[tuple[Sequence[float], int]], *, file_format: FigureFormat = "svg", ax: Axes | None = None
) -> bytes:
    """Draw the entropy (nats) of the model's predictions around the onset of loops, all onsets laid over each other.

    Each item is the entropies of one completion up to the end of its loop, one value a token, and the index of the
    loop's first token. A distance counts the completions that reach it, and a side that fewer than
    :data:`MIN_COMPLETIONS` have is left out.
    """
    before = [values[max(0, onset - ONSET_WINDOW) : onset][::-1] for values, onset in completions]
    inside = [values[onset : onset + ONSET_WINDOW] for values, onset in completions]
    with canvas(3.7, file_format, ax) as drawn:
        axes = drawn.axes(
            "Entropy of the next-token prediction around the start of a loop",
            "position relative to the first token of the loop",
            "predictive entropy (nats)",
        )
        axes.axvline(0, color=GREY, linewidth=1.0)
        # The token before the loop is at -1, so on that side positions go downwards from there.
        for side, first, step, colour, dash, label in (
            (before, -1, -1, BLUE, "-", "before the loop"),
            (inside, 0, 1, RED, "--", "in the loop"),
        ):
            reached = [values for values in side if len(values)]
            if len(reached) >= MIN_COMPLETIONS:
                quartiles = quartiles_by_position(reached)
                x = first + step * np.arange(quartiles.shape[1])
                _band(axes, x, quartiles, colour, dash, f"{label}: median of {len(reached):,}")
        _entropy_axes(drawn, axes)
    return drawn.file


def onsets_figure(
    onsets: Mapping[str, Sequence[int]], longest: int, *, file_format: FigureFormat = "svg", ax: Axes | None = None
) -> bytes:
    """Draw for each kind at which token its loops begin; ``longest`` is the length of the longest completion."""
    kinds = [kind for kind in (*KINDS, *sorted(set(onsets) - set(KINDS))) if onsets.get(kind)]
    edges = np.linspace(0, max(1, longest), min(ONSET_BINS, max(1, longest)) + 1)
    with canvas(1.4 + 0.55 * len(kinds), file_format, ax) as drawn:
        axes = drawn.axes("Where loops begin", "position of the first token of the loop", "")
        for y, kind in enumerate(kinds):
            counts, _ = np.histogram(onsets[kind], bins=edges)
            heights = 0.8 * counts / counts.max()
            axes.bar(edges[:-1], -heights, np.diff(edges), y + 0.4, align="edge", color=RED, linewidth=0)
            axes.hlines(y + 0.4, 0, edges[-1], color=GREY, linewidth=0.8)
            note = f"{counted(len(onsets[kind]), 'loop')}, median {np.median(onsets[kind]):,.0f}"
            axes.annotate(note, (1.02, y), xycoords=("axes fraction", "data"), va="center")
        axes.set_yticks(range(len(kinds)), [drawable(kind) for kind in kinds])
        axes.set_ylim(len(kinds) - 0.4, -0.6)
        axes.set_xlim(0, edges[-1])
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0, pad=9)
    return drawn.file


def quartiles_by_position(completions: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
    """Return the lower quartile, the median and the upper quartile at each position, shape ``(3, positions)``.

    A position counts the completions that reach it, and the last one is the last that enough of them reach (see
    :data:`MIN_COMPLETIONS`). ``completions`` holds at least one, and none that is empty.
    """
    lengths = sorted(map(len, completions), reverse=True)
    positions = lengths[min(MIN_COMPLETIONS, len(lengths)) - 1]
    grid = np.full((len(completions), positions), np.nan)
    for row, completion in zip(grid, completions, strict=True):
        reached = min(positions, len(completion))
        row[:reached] = completion[:reached]
    return np.asarray(np.nanquantile(grid, [0.25, 0.5, 0.75], axis=0))


def _band(
    axes: Axes, x: npt.NDArray[np.int64], quartiles: npt.NDArray[np.float64], colour: str, dash: str, label: str
) -> None:
    low, median, high = quartiles
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    # Not clipped: a model that is quite sure draws its line on the axis.
    axes.plot(x, median, dash, color=colour, linewidth=1.8, label=label, clip_on=False, zorder=3)


def _entropy_axes(drawn: Canvas, axes: Axes) -> None:
    axes.set_ylim(0, max(MIN_ENTROPY_SHOWN, axes.get_ylim()[1]))
    _whole_numbers(axes)
    drawn.legend_below(axes)


def _logged(axes: Axes, points: Sequence[LossPoint], colour: str, label: str) -> None:
    finite = sorted((p.step, p.loss_nats) for p in points if math.isfinite(p.loss_nats))
    if finite:
        few = len(finite) <= 40
        axes.plot(*zip(*finite, strict=True), color=colour, label=label, linewidth=1.6, marker="." if few else "")


def _measured(axes: Axes, interval: Interval, step: int | None, marker: _Marker) -> None:
    label = f"{marker.label}: {nats(interval.estimate)}"
    bounded = math.isfinite(interval.low) and math.isfinite(interval.high)
    if step is None:
        axes.axhline(interval.estimate, color=marker.colour, linestyle="--", linewidth=1.6, label=label)
        if bounded:
            axes.axhspan(interval.low, interval.high, color=marker.colour, alpha=0.15, linewidth=0)
        return
    axes.errorbar(
        step,
        interval.estimate,
        [[interval.estimate - interval.low], [interval.high - interval.estimate]] if bounded else None,
        fmt="o",
        color=marker.colour,
        markerfacecolor=marker.fill,
        markersize=marker.size,
        markeredgewidth=1.6,
        capsize=4,
        label=label,
        zorder=4,
    )


def loss_axis(axes: Axes, values: Sequence[float]) -> None:
    """Scale the axis of losses (nats) to the finite ones of ``values``.

    Logarithmic if they span more than a decade. Else it starts at 0, but where that would flatten the curve.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return
    lowest, highest = min(finite), max(finite)
    if lowest > 0 and highest > DECADE * lowest:
        _logarithmic(axes)
    elif lowest > FLAT_FROM * highest:
        room = 0.08 * (highest - lowest) or 0.05 * highest
        axes.set_ylim(lowest - room, highest + room)
    else:
        axes.set_ylim(bottom=0)


def _logarithmic(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter  # noqa: PLC0415 - as in the canvas

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(f"{axes.get_ylabel()}, logarithmic")


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 - as in the canvas

    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _round_up(percents: Sequence[float]) -> float:
    """The end of an axis that starts at 0: fixed steps, so that figures of several checkpoints compare."""
    largest = max(percents, default=100.0)
    return next((end for end in (5.0, 10.0, 25.0, 50.0) if largest <= end), 100.0)
