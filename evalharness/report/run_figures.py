"""The figures of a run, each a function of its frames (:func:`evalharness.load_run`) that returns an SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evalharness.report.agreement import losses_by_step
from evalharness.report.canvas import BLUE, GREEN, GREY, INK, ORANGE, RED, canvas, drawable
from evalharness.report.figures import quartiles_by_position
from evalharness.report.wording import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from matplotlib.axes import Axes

    from evalharness.frames import RunFrames

FOLDER = "figures"
SHADES = (BLUE, ORANGE, GREEN, RED, "#cc79a7", "#56b4e9", "#f0e442", GREY, INK)
FEWEST_STEPS = 2
STEPS_DRAWN = 5
"""Lines of a figure that can be told apart: of more steps the first, the last and some between are drawn."""


def run_figures(frames: RunFrames) -> dict[str, bytes]:
    """Return the figures that there is data for, as SVG by the path that they take beside the report."""
    return {f"{FOLDER}/{name}.svg": svg for name, svg in _figures(frames)}


def _figures(frames: RunFrames) -> Iterator[tuple[str, bytes]]:
    if len(frames.checkpoints) >= FEWEST_STEPS:
        yield "loss_and_behaviour", loss_and_behaviour_figure(frames)
        if _path_columns(frames) is not None:
            yield "loss_against_behaviour", loss_against_behaviour_figure(frames)
    if frames.completions["kind"].notna().any():
        yield "kinds_by_step", kinds_by_step_figure(frames)
    if any(map(len, frames.completions["token_entropy_nats"])):
        yield "entropy_by_step", entropy_by_step_figure(frames)


def loss_and_behaviour_figure(frames: RunFrames) -> bytes:
    """Draw the losses (nats) above and the behaviour (%) below over the same steps, measured ones with intervals."""
    held = frames.checkpoints
    with canvas(6.2) as drawn:
        above, below = drawn.figure.subplots(2, 1, sharex=True)
        above.set_title("Loss, and what the model does")
        for split, colour in (("train", GREY), ("validation", BLUE)):
            points = frames.losses[frames.losses["split"] == split].dropna(subset=["loss_nats"])
            if len(points):
                name = "training" if split == "train" else "validation"
                above.plot(points["step"], points["loss_nats"], color=colour, label=f"logged, {name}", linewidth=1.5)
        _with_bounds(above, held, "recomputed_nats", ORANGE, "recomputed", scale=1.0)
        _with_bounds(above, held, "honest_nats", RED, "honest", scale=1.0)
        above.set_ylabel("loss (nats a token)")
        above.set_ylim(bottom=0)
        columns = [name for name in held.columns if name.endswith("_pass_at_1")]
        for column, colour in zip(columns, SHADES, strict=False):
            _with_bounds(below, held, column, colour, column.removesuffix("_pass_at_1").replace("_", ", ") + ", pass@1")
        for decoding, colour in (("greedy", INK), ("sampled", "#cc79a7")):
            if f"degenerate_{decoding}" in held:
                _with_bounds(below, held, f"degenerate_{decoding}", colour, f"degenerate, {decoding}", dash="--")
        below.set_ylabel("completions (%), 95 % interval")
        below.set_ylim(-2, 102)
        below.set_xlabel("training step")
        for axes in (above, below):
            axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return drawn.svg


def _with_bounds(
    axes: Axes, held: pd.DataFrame, column: str, colour: str, label: str, *, dash: str = "-", scale: float = 100.0
) -> None:
    known = held.dropna(subset=[column]) if column in held else held.iloc[:0]
    if not len(known):
        return
    steps, values = known["step"].to_numpy(), scale * known[column].to_numpy(dtype=float)
    low, high = (scale * known[f"{column}_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
    bounded = np.isfinite(low) & np.isfinite(high)
    axes.plot(steps, values, dash, marker="o", markersize=4, color=colour, label=label, linewidth=1.5)
    axes.fill_between(steps[bounded], low[bounded], high[bounded], color=colour, alpha=0.14, linewidth=0)


def loss_against_behaviour_figure(frames: RunFrames) -> bytes:
    """Draw the validation loss (nats) against what passes or is sound (%) as a path through the steps."""
    found = _path_columns(frames)
    with canvas(4.2) as drawn:
        axes = drawn.axes("The way through the steps", "", "")
        if found is None:
            return drawn.svg
        loss, behaviour, x, y = found
        axes.set_xlabel(
            f"{'validation loss as logged' if loss.startswith('logged') else 'recomputed loss'} (nats a token)"
        )
        axes.set_ylabel(f"{behaviour} (%)")
        axes.plot(x, y, color=GREY, linewidth=1.2, zorder=1)
        axes.scatter(x, y, c=np.arange(len(x)), cmap="viridis", s=46, zorder=3)
        for i, step in enumerate(x.index):
            if i in {0, len(x) - 1} or len(x) <= STEPS_DRAWN:
                axes.annotate(f"{step:,}", (x.iloc[i], y.iloc[i]), xytext=(6, 6), textcoords="offset points")
        axes.set_ylim(-2, 102)
        axes.margins(x=0.12)
    return drawn.svg


def _path_columns(frames: RunFrames) -> tuple[str, str, pd.Series, pd.Series] | None:
    """The validation loss as logged, else the recomputed one; the best pass@1, else what is not degenerate."""
    losses, held = losses_by_step(frames), frames.checkpoints.set_index("step")
    loss = next((name for name in ("logged, validation", "recomputed") if name in losses), None)
    passed = [name for name in held.columns if name.endswith("_sampled_pass_at_1")]
    passed += [name for name in held.columns if name.endswith("_greedy_pass_at_1")]
    best = max(passed, key=lambda name: held[name].max(), default=None)
    if loss is None:
        return None
    if best is not None and held[best].max() > 0:
        name, shares = best.removesuffix("_pass_at_1").replace("_", ", ") + ", pass@1", held[best]
    elif "degenerate_sampled" in held:
        name, shares = "not degenerate, sampled", 1 - held["degenerate_sampled"]
    else:
        return None
    both = losses[loss].dropna().index.intersection(shares.dropna().index)
    return (loss, name, losses[loss].loc[both], 100 * shares.loc[both]) if len(both) >= FEWEST_STEPS else None


def kinds_by_step_figure(frames: RunFrames) -> bytes:
    """Draw how many of all completions (%) are degenerate in which way at each step."""
    completions = frames.completions
    steps = sorted(completions["step"].unique())
    with canvas(3.9) as drawn:
        axes = drawn.axes("What goes wrong", "training step", "of all completions (%)")
        bottom = np.zeros(len(steps))
        for kind, colour in zip(KINDS, SHADES * 2, strict=False):
            of_kind = [100 * float((completions[completions["step"] == step]["kind"] == kind).mean()) for step in steps]
            if any(of_kind):
                axes.bar(range(len(steps)), of_kind, bottom=bottom, color=colour, label=drawable(kind), width=0.72)
                bottom += np.array(of_kind)
        shown = range(0, len(steps), max(1, len(steps) // 12))
        axes.set_xticks(list(shown), [f"{steps[i]:,}" for i in shown])
        axes.set_ylim(0, 102)
        axes.grid(visible=False, axis="x")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return drawn.svg


def entropy_by_step_figure(frames: RunFrames) -> bytes:
    """Draw the median entropy (nats) of the predictions along the completions, a line a step."""
    completions = frames.completions
    steps = sorted(completions["step"].unique())
    chosen = [steps[round(i * (len(steps) - 1) / (STEPS_DRAWN - 1))] for i in range(STEPS_DRAWN)]
    with canvas(3.9) as drawn:
        axes = drawn.axes(
            "How sure the model is, step by step", "position in the completion (tokens)", "median entropy (nats)"
        )
        for step, colour in zip(dict.fromkeys(chosen), SHADES, strict=False):
            rows = [values for values in completions[completions["step"] == step]["token_entropy_nats"] if len(values)]
            if rows:
                median = quartiles_by_position(rows)[1]
                axes.plot(np.arange(len(median)), median, color=colour, label=f"step {step:,}", linewidth=1.6)
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return drawn.svg
