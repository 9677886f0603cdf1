"""The figures of a run, each a function of its frames (:func:`evalharness.load_run`) that returns a file.

The file is an SVG, or a PNG or PDF by ``file_format``. With ``ax``, axes of your own, it is drawn there, under your own
settings of matplotlib, and nothing is returned; :func:`loss_and_behaviour_figure` takes two, the losses first.

All of them: :func:`loss_and_behaviour_figure`, :func:`loss_against_behaviour_figure`, :func:`kinds_by_step_figure`,
:func:`entropy_by_step_figure`; :func:`figures_of_run` returns those that there is data for. A score whose step is not
recorded has no place on an axis of steps and is left out of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness.records import NOT_BEGUN
from evalharness.report.figures.canvas import BLUE, GREEN, GREY, INK, ORANGE, RED, canvas, drawable
from evalharness.report.figures.plots import loss_axis, quartiles_by_position
from evalharness.report.loss_against_behaviour import decoding_of_kinds, logged_points, losses_by_step, no_losses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from evalharness.report.figures.canvas import FigureFormat
    from evalharness.runs.frames import RunFrames

__all__ = [
    "entropy_by_step_figure",
    "figures_of_run",
    "kinds_by_step_figure",
    "loss_against_behaviour_figure",
    "loss_and_behaviour_figure",
]

FOLDER = "figures"
PINK, SKY, YELLOW = "#cc79a7", "#56b4e9", "#f0e442"
SET_SHADES = (BLUE, GREEN, ORANGE, INK)
SHADES = (BLUE, ORANGE, GREEN, RED, PINK, SKY, YELLOW, GREY, INK)
KIND_STYLES = {
    "newline": (BLUE, ""),
    "whitespace": (SKY, ""),
    "token": (ORANGE, ""),
    "phrase": (GREEN, ""),
    "line": (RED, ""),
    "block": (PINK, ""),
    "near": (YELLOW, ""),
    "empty": (GREY, ""),
    "echo": (INK, ""),
    "same_answer": (BLUE, "////"),
    "gibberish": (ORANGE, "xxxx"),
}
"""Colour and hatch of each kind, the same in every figure: there are more kinds than colours that differ enough."""
DECODING_STYLES: dict[str, dict[str, Any]] = {
    "greedy": {"marker": "s", "markersize": 8.0, "markerfacecolor": "none", "linestyle": "--"},
    "sampled": {"marker": "o", "markersize": 3.5, "linestyle": "-"},
}
"""Where the two are equal, the circle lies in the hollow square."""
FEWEST_STEPS = 2
PATH_LOSSES = {"logged, validation": "validation loss as logged", "recomputed": "recomputed loss"}
"""The losses that are drawn against behaviour, the first that is known: their column, and what the axis calls them."""
STEPS_DRAWN = 5
"""Lines that one figure can hold: of more steps the first, the last and some between are drawn."""


def figures_of_run(frames: RunFrames, file_format: FigureFormat = "svg") -> dict[str, bytes]:
    """Return the figures that there is data for, by their path relative to the report."""
    return {f"{FOLDER}/{name}.{file_format}": draw(frames, file_format=file_format) for name, draw in _figures(frames)}


def _figures(frames: RunFrames) -> Iterator[tuple[str, Callable[..., bytes]]]:
    numbered = frames.numbered()
    if len(numbered.checkpoints) >= FEWEST_STEPS:
        yield "loss_and_behaviour", loss_and_behaviour_figure
        if _path_columns(numbered) is not None:
            yield "loss_against_behaviour", loss_against_behaviour_figure
    of_kinds = _completions_in_table(numbered)
    if of_kinds["kind"].notna().any():
        yield "kinds_by_step", kinds_by_step_figure
    if any(map(len, numbered.completions["token_entropy_nats"])):
        yield "entropy_by_step", entropy_by_step_figure


def loss_and_behaviour_figure(
    frames: RunFrames, *, file_format: FigureFormat = "svg", ax: Axes | Sequence[Axes] | None = None
) -> bytes:
    """Draw the losses (nats) above and the behaviour (%) below over the same steps, measured ones with intervals.

    The entropy is drawn beside the losses if training logged it. Without either there is the lower part alone.
    """
    frames = frames.numbered()
    losses = not no_losses(frames)
    entropy = len(frames.entropies) > 0
    with canvas(6.6 if losses or entropy else 3.9, file_format, ax) as drawn:
        *above, below = drawn.panels(1 + (losses or entropy))
        for axes in above:
            _draw_losses(axes, frames)
        (above or [below])[0].set_title("Loss and behaviour by step" if losses else "Behaviour by step")
        _draw_behaviour(below, frames)
        for axes in (*above, below):
            drawn.legend_under(axes)
    return drawn.file


def _draw_losses(axes: Axes, frames: RunFrames) -> None:
    """The logged ones; the recomputed one wide, below the others, so that it is seen where they are equal."""
    for split, name, colour in (("train", "training", GREY), ("validation", "validation", BLUE)):
        points = logged_points(frames, split)
        if len(points):
            mark = "." if len(points) == 1 else ""
            axes.plot(points["step"], points["loss_nats"], mark + "-", color=colour, label=f"logged, {name}", lw=1.5)
    wide = {"linewidth": 6.0, "alpha": 0.75, "marker": "", "solid_capstyle": "round", "zorder": 1.5}
    _with_bounds(axes, frames.checkpoints, "recomputed_nats", ORANGE, "recomputed", scale=1.0, **wide)
    _with_bounds(axes, frames.checkpoints, "honest_nats", RED, "honest (no future tokens)", scale=1.0, linestyle="--")
    entropies = frames.entropies
    if len(entropies):
        axes.plot(entropies["step"], entropies["entropy_nats"], ":", color=GREEN, label="entropy, logged", lw=1.5)
    axes.set_ylabel("loss, entropy (nats per token)" if len(entropies) else "loss (nats per token)")
    loss_axis(axes, [float(value) for line in axes.get_lines() for value in np.asarray(line.get_ydata(), dtype=float)])


def _draw_behaviour(axes: Axes, frames: RunFrames) -> None:
    """Each problem set in smaller markers than the one before, so that equal ones lie in each other."""
    checkpoints = frames.checkpoints
    passing = frames.pass_at_1_columns()
    sets = list(dict.fromkeys(measure.problems for measure in passing))
    for measure, column in passing.items():
        name = str(measure.problems)
        style, behind = DECODING_STYLES[measure.decoding], len(sets) - 1 - sets.index(name)
        sizes = {"markersize": style["markersize"] + 3.5 * behind, "linewidth": 1.5 + 1.2 * behind}
        label = f"{drawable(name)}, {measure.decoding}, pass@1"
        colour = SET_SHADES[sets.index(name) % len(SET_SHADES)]
        _with_bounds(axes, checkpoints, column, colour, label, **style | sizes)
    for decoding, style in DECODING_STYLES.items():
        _with_bounds(axes, checkpoints, f"degenerate_{decoding}", PINK, f"degenerate, {decoding}", **style)
    axes.set_ylabel("completions (%)")
    axes.set_ylim(-6, 106)
    axes.set_xlabel("training step")


def _with_bounds(
    axes: Axes, checkpoints: pd.DataFrame, column: str, colour: str, label: str, *, scale: float = 100.0, **style: Any
) -> None:
    known = checkpoints.dropna(subset=[column]) if column in checkpoints else checkpoints.iloc[:0]
    if not len(known):
        return
    steps, values = known["step"].to_numpy(), scale * known[column].to_numpy(dtype=float)
    low, high = (scale * known[f"{column}_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
    bounded = np.isfinite(low) & np.isfinite(high)
    drawn = {"marker": "o", "markersize": 4, "linewidth": 1.5, **style}
    axes.plot(steps, values, color=colour, label=label, **drawn)
    axes.fill_between(steps[bounded], low[bounded], high[bounded], color=colour, alpha=0.14, linewidth=0)


def loss_against_behaviour_figure(
    frames: RunFrames, *, file_format: FigureFormat = "svg", ax: Axes | None = None
) -> bytes:
    """Draw the validation loss (nats per token) against the pass rate (%), or what is not degenerate, by step."""
    with canvas(4.2, file_format, ax) as drawn:
        axes = drawn.axes("Loss against pass rate, by step", "", "")
        path = _path_columns(frames.numbered())
        if path is not None:
            _draw_path(axes, *path)
        axes.set_ylim(-2, 102)
        axes.margins(x=0.12)
    return drawn.file


def _draw_path(axes: Axes, loss: str, behaviour: str, x: pd.Series, y: pd.Series) -> None:
    axes.set_xlabel(f"{PATH_LOSSES[loss]} (nats per token)")
    axes.set_ylabel(f"{behaviour} (%)")
    axes.plot(x, y, color=GREY, linewidth=1.2, zorder=1)
    axes.scatter(x, y, c=np.arange(len(x)), cmap="viridis", s=46, zorder=3)
    for i, step in enumerate(x.index):
        if i in {0, len(x) - 1} or len(x) <= STEPS_DRAWN:
            axes.annotate(f"{step:,}", (x.iloc[i], y.iloc[i]), xytext=(6, 6), textcoords="offset points")


def _path_columns(frames: RunFrames) -> tuple[str, str, pd.Series, pd.Series] | None:
    """The validation loss as logged, else the recomputed one; the best pass@1, else what is not degenerate."""
    losses, checkpoints = losses_by_step(frames), frames.checkpoints.set_index("step")
    loss = next((name for name in PATH_LOSSES if name in losses), None)
    passing = sorted(frames.pass_at_1_columns().items(), key=lambda item: item[0].decoding != "sampled")
    measure, best = max(passing, key=lambda item: checkpoints[item[1]].max(), default=(None, None))
    if loss is None:
        return None
    if best is not None and checkpoints[best].max() > 0:
        name, shares = str(measure), checkpoints[best]
    elif "degenerate_sampled" in checkpoints:
        name, shares = "not degenerate, sampled", 1 - checkpoints["degenerate_sampled"]
    else:
        return None
    both = losses[loss].dropna().index.intersection(shares.dropna().index)
    return (loss, name, losses[loss].loc[both], 100 * shares.loc[both]) if len(both) >= FEWEST_STEPS else None


def _completions_in_table(frames: RunFrames) -> pd.DataFrame:
    """The completions whose kinds the table of behaviour shows: begun, of one decoding."""
    completions = frames.completions
    return completions[
        (completions["decoding"] == decoding_of_kinds(frames)) & ~completions["stop_reason"].isin(NOT_BEGUN)
    ]


def kinds_by_step_figure(frames: RunFrames, *, file_format: FigureFormat = "svg", ax: Axes | None = None) -> bytes:
    """Draw how many completions (%) are degenerate in which way at each step.

    Of the sampled ones where there are any, else of the greedy ones; prompts that could not be asked are left out.
    """
    frames = frames.numbered()
    completions = _completions_in_table(frames)
    steps = sorted(completions["step"].unique())
    counts = completions.groupby(["step", "kind"]).size()
    written = completions.groupby("step").size()
    with canvas(3.9, file_format, ax) as drawn:
        axes = drawn.axes(
            "Kinds of degeneration by step", "training step", f"{decoding_of_kinds(frames)} completions (%)"
        )
        bottom = np.zeros(len(steps))
        for kind, (colour, hatch) in KIND_STYLES.items():
            of_kind = [100 * float(counts.get((step, kind), 0) / written[step]) for step in steps]
            if any(of_kind):
                axes.bar(
                    range(len(steps)), of_kind, bottom=bottom, color=colour, hatch=hatch, edgecolor="white",
                    linewidth=0, label=kind, width=0.72,
                )  # fmt: skip
                bottom += np.array(of_kind)
        shown = range(0, len(steps), max(1, len(steps) // 12))
        axes.set_xticks(list(shown), [f"{steps[i]:,}" for i in shown])
        axes.set_ylim(0, 102)
        axes.grid(visible=False, axis="x")
        drawn.legend_under(axes)
    return drawn.file


def entropy_by_step_figure(frames: RunFrames, *, file_format: FigureFormat = "svg", ax: Axes | None = None) -> bytes:
    """Draw the median entropy (nats) of the predictions along the completions, a line a step."""
    completions = frames.numbered().completions
    steps = sorted(completions["step"].unique())
    chosen = [steps[round(i * (len(steps) - 1) / (STEPS_DRAWN - 1))] for i in range(STEPS_DRAWN)] if steps else []
    with canvas(3.9, file_format, ax) as drawn:
        axes = drawn.axes(
            "Entropy of the next-token prediction, by step",
            "position in the completion (tokens)",
            "median entropy (nats)",
        )
        for step, colour in zip(dict.fromkeys(chosen), SHADES, strict=False):
            rows = [values for values in completions[completions["step"] == step]["token_entropy_nats"] if len(values)]
            if rows:
                median = quartiles_by_position(rows)[1]
                axes.plot(np.arange(len(median)), median, color=colour, label=f"step {step:,}", linewidth=1.6)
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        drawn.legend_under(axes)
    return drawn.file
