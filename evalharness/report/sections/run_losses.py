"""The section on the losses of a run: by step, how they moved, and where they come from."""

from __future__ import annotations

from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING

from evalharness.records import NO_STEP
from evalharness.report.loss_against_behaviour import logged_points, losses_by_step, no_losses
from evalharness.report.numbers import bits, nats, relative_change
from evalharness.report.parts import BulletList, Heading, Paragraph, Strong, Table
from evalharness.report.run_evidence import in_order, step_name
from evalharness.report.sections.figure_parts import figure
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from evalharness.records import Scorecard
    from evalharness.report.parts import Part, Text
    from evalharness.report.run_evidence import Run

STEPS_SHOWN = 40
"""Rows of a table by step; of more steps the first and the last ones are shown."""
SOURCES_NAMED = 3
"""Each checkpoint's file is a source of its own: the first ones show which they are."""
SPIKE = 1.5
"""A logged validation loss that is this many times the one before is a spike: between two evaluations of a healthy run
it moves by a few percent."""
_ABOUT = (
    "In nats per token. Train and validation: as logged (train: the last value up to the step). Recomputed and honest: "
    "measured at the scored steps on the same validation tokens at every step, all of them if there are few. Bold: "
    "each new best validation loss."
)


def run_losses_section(run: Run, figures: Mapping[str, bytes]) -> Iterator[Part]:
    """Yield the losses by step, a summary of each curve, and the figure."""
    yield Heading("The losses")
    if not no_losses(run.frames):
        yield loss_table(run)
        sources = loss_sources(run)
        yield Paragraph(f"{_ABOUT} {sources}" if sources else _ABOUT)
    yield BulletList(tuple(_summary(run)))
    yield from figure("loss_and_behaviour", figures)


def few(steps: Sequence[int]) -> list[int]:
    """Return the first and the last of more steps than a table can show."""
    half = STEPS_SHOWN // 2
    return list(steps) if len(steps) <= STEPS_SHOWN else [*steps[:half], *steps[-half:]]


def loss_table(run: Run) -> Table:
    """Return the losses by step, with each new best validation loss marked."""
    frames = run.frames
    validation = {int(p.step): float(p.loss_nats) for p in logged_points(frames, "validation").itertuples()}
    train = frames.losses[frames.losses["split"] == "train"].dropna(subset=["loss_nats"])
    measured = losses_by_step(frames)
    steps = in_order({*validation, *frames.scorecards})
    bests = new_bests(validation)
    has_bits = any(card.loss.honest_bits_per_byte is not None for card in frames.scorecards.values())
    rows = []
    for step in few(steps):
        before = train[train["step"] <= step]["loss_nats"]
        rows.append(
            (
                step_name(step),
                nats(before.iloc[-1]) if len(before) else "–",
                _validation(validation.get(step), step in {*bests[1:], *bests[-1:]}),
                *(_cell(measured, step, name) for name in ("recomputed", "honest")),
                *([_bits(frames.scorecards.get(step))] if has_bits else []),
                _status(step, steps, bests),
            )
        )
    in_bits = ["Honest, bits per byte"] if has_bits else []
    header = ("Step", "Train", "Validation", "Recomputed", "Honest (no future tokens)", *in_bits, "Status")
    return Table(header, tuple(rows), frozenset(range(len(header) - 1)))


def _bits(card: Scorecard | None) -> str:
    return bits(None if card is None else card.loss.honest_bits_per_byte)


def new_bests(validation: Mapping[int, float]) -> list[int]:
    """Return the first step, and each whose loss is lower than those of all steps before it; the last is the best."""
    bests: list[int] = []
    for step in in_order(validation):
        if not bests or validation[step] < validation[bests[-1]]:
            bests.append(step)
    return bests


def _validation(value: float | None, is_best: bool) -> Text:
    if value is None:
        return "–"
    return Strong(nats(value)) if is_best else nats(value)


def _status(step: int, steps: Sequence[int], bests: Sequence[int]) -> str:
    numbered = [number for number in steps if number != NO_STEP]
    first, last = (numbered[0], numbered[-1]) if numbered else (None, None)
    record = ["best"] * (step in bests[-1:]) + ["new best"] * (step in bests[1:-1])
    return ", ".join(["initial"] * (step == first) + record + ["final"] * (step == last)) or "–"


def _cell(measured: pd.DataFrame, step: int, name: str) -> str:
    if name not in measured or step not in measured.index:
        return "–"
    value = float(measured.loc[step, name])
    return nats(value) if isfinite(value) else "–"


def _summary(run: Run) -> Iterator[str]:
    """How far each curve fell, its lowest point, and whether anything went wrong in it."""
    if no_losses(run.frames):
        yield f"No loss was logged, and {'none was measured' if run.seen else 'completions alone have none'}."
        return
    for split, name in (("train", "Training"), ("validation", "Validation")):
        points = logged_points(run.frames, split)
        of_split = run.frames.losses[run.frames.losses["split"] == split]
        odd = int(of_split["loss_nats"].isna().sum())
        said = _curve(points, split, odd) if len(points) > 1 else _short_curve(points, odd)
        yield f"{name} loss: {said}."


def _curve(points: pd.DataFrame, split: str, odd: int) -> str:
    values = points["loss_nats"].to_list()
    best = points.loc[points["loss_nats"].idxmin()]
    spikes = spikes_in(values)
    parts = [
        f"{nats(values[0])} → {nats(values[-1])} nats per token ({relative_change(values[0], values[-1])})",
        f"lowest {nats(float(best['loss_nats']))} at step {int(best['step']):,}",
        *([counted(spikes, "spike")] if split == "validation" else []),
        f"{odd or 'none'} NaN or infinite",
    ]
    return ", ".join(parts)


def spikes_in(values: Sequence[float]) -> int:
    """Return how many values are spikes after the one before."""
    return sum(later > SPIKE * before for before, later in pairwise(values))


def _short_curve(points: pd.DataFrame, odd: int) -> str:
    """No point or a single one, beside those that are not finite."""
    logged = len(points) + odd
    if not logged:
        return "not in the records"
    value = f"{nats(float(points['loss_nats'].iloc[0]))} nats per token, " if len(points) else ""
    count = "logged once" if logged == 1 else f"{logged} logged"
    return f"{value}{count}{f', {odd} of them NaN or infinite' if odd else ''}"


def loss_sources(run: Run) -> str:
    """Say where validation losses come from that no training log has; nothing if there is none."""
    frames = run.frames
    logged = set(frames.losses[frames.losses["split"] == "validation"].dropna(subset=["loss_nats"])["step"])
    sources: dict[str, list[str]] = {}
    for point in logged_points(frames, "validation").itertuples():
        if point.step not in logged:
            sources.setdefault(str(point.source or "a source that is not recorded"), []).append(f"{point.step:,}")
    if not sources:
        return ""
    named = [f"{source} (step {', '.join(steps)})" for source, steps in sources.items()]
    more = f"; and {len(named) - SOURCES_NAMED} more" if len(named) > SOURCES_NAMED else ""
    return f"Validation losses that the training log lacks are from {'; '.join(named[:SOURCES_NAMED])}{more}."
