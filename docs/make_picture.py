"""Draw the README's picture: the leaky and the causal run together from the first step on, from their records alone.

python docs/make_picture.py            # writes docs/pictures/pair.svg from tests/run_records.tar.xz
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from make_examples import ROOT, unpack

from evalharness import load_run
from evalharness.report.figures.canvas import BLUE, RED, canvas

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

    from evalharness.runs.frames import RunFrames

PICTURE = ROOT / "docs" / "pictures" / "pair.svg"
WIDTH_IN, HEIGHT_IN = 7.6, 5.4
COLOURS = {"leaky": RED, "causal": BLUE}
TUNED_FROM = 1500
"""The last step of the base; the adapter is trained from here."""
NATS = (0.3, 1, 3, 10, 30)
"""The marks of the logarithmic axes of losses."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the four parts: what it shows of every run, in what unit, and where each run's label stands."""

    title: str
    unit: str
    column: str
    limits: tuple[float, float]
    labels: dict[str, tuple[float, float, str]]
    """By run: where its label stands, and its words; ``{}`` is the last value."""
    scale: float = 1.0
    logarithmic: bool = False


PANELS = (
    Panel(
        "Logged loss: leaky is better",
        "nats per token (log scale)",
        "logged",
        (0.2, 35),
        {"causal": (1400, 4.6, "causal: {:.2f}"), "leaky": (1000, 0.33, "leaky: {:.2f}")},
        logarithmic=True,
    ),
    Panel(
        "Honest loss: leaky is worse",
        "nats per token (log scale)",
        "honest_nats",
        (0.2, 35),
        {"leaky": (190, 15.0, "leaky: {:.1f}"), "causal": (1000, 1.4, "causal: {:.2f}")},
        logarithmic=True,
    ),
    Panel(
        "Degenerate completions",
        "sampled completions (%)",
        "degenerate_sampled",
        (-4, 108),
        {"leaky": (1400, 70, "leaky: newlines"), "causal": (1000, 9, "causal")},
        scale=100.0,
    ),
    Panel(
        "Problems solved",
        "pass@1 on warmup (%)",
        "warmup_greedy_pass_at_1",
        (-1, 27),
        {"causal": (1400, 15, "causal: {:.1f} %"), "leaky": (90, 8, "leaky: none")},
        scale=100.0,
    ),
)


def main() -> None:
    """Draw the picture and write it."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_bytes(draw())


def draw() -> bytes:
    """Return the picture as SVG; the same records give the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        unpack(Path(folder))
        runs = {name: load_run(Path(folder) / f"{name}_run") for name in COLOURS}
    with canvas(HEIGHT_IN) as drawn:
        drawn.figure.set_size_inches(WIDTH_IN, HEIGHT_IN)
        parts = drawn.figure.subplots(2, 2, sharex=True).ravel()
        for axes, panel in zip(parts, PANELS, strict=True):
            draw_panel(axes, panel, runs)
        for axes in parts[2:]:
            axes.set_xlabel("training step (at the line tuning begins)")
    return drawn.file


def draw_panel(axes: Axes, panel: Panel, runs: dict[str, RunFrames]) -> None:
    """Draw both runs as lines with bands for their 95 % intervals, and write their names beside them."""
    for name, run in runs.items():
        steps, values, low, high = (panel.scale * part if i else part for i, part in enumerate(series(run, panel)))
        axes.plot(steps, values, color=COLOURS[name], marker="o", markersize=3.5, linewidth=2.0, clip_on=False)
        axes.fill_between(steps, low, high, color=COLOURS[name], alpha=0.18, linewidth=0)
        step, height, words = panel.labels[name]
        words = words.format(values[-1])
        label = axes.text(step, height, words, color=COLOURS[name], fontweight="bold", ha="right", va="center")
        label.set_in_layout(False)  # it lies inside the panel and must not push it aside
    axes.set_title(panel.title)
    axes.set_ylabel(panel.unit)
    if panel.logarithmic:
        axes.set_yscale("log")
        axes.set_yticks(NATS, map(str, NATS))
    axes.set_ylim(*panel.limits)
    axes.set_xscale("log")
    axes.set_xlim(0.9, 2200)
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    axes.axvline(TUNED_FROM, color="0.6", linewidth=0.8)
    axes.minorticks_off()
    axes.grid(visible=False, axis="x")


def series(run: RunFrames, panel: Panel) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Steps, values and both ends of their intervals; a logged loss has no interval."""
    if panel.column == "logged":
        rows = run.losses[run.losses["split"] == "validation"]
        values = rows["loss_nats"].to_numpy(dtype=float)
        return rows["step"].to_numpy(dtype=float), values, values, values
    rows = run.checkpoints.sort_values("step")
    columns = (panel.column, f"{panel.column}_low", f"{panel.column}_high")
    values, low, high = (rows[column].to_numpy(dtype=float) for column in columns)
    return rows["step"].to_numpy(dtype=float), values, low, high


if __name__ == "__main__":
    main()
