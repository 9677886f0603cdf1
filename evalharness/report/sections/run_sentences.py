"""What a run's report says in sentences, each from the records alone."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from evalharness.degeneration import is_too_early_to_tell
from evalharness.report.loss_against_behaviour import logged_points, no_losses
from evalharness.report.numbers import counted, loss_meaning_of, loss_relation, nats, percent_interval
from evalharness.report.sections.run_tables import fall_in_words
from evalharness.report.writers.escaping import code, prose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.report.run_evidence import Run

SOURCES_NAMED = 3
"""Each checkpoint's file is a source of its own: the first of them show which they are."""
SPIKE = 1.5
"""A logged validation loss that is this many times the one before is a spike: between two evaluations of a run that
goes well it moves by some percent."""


def loss_summary(run: Run) -> Iterator[str]:
    """Reduction, best, and whether anything went wrong in the curve."""
    if no_losses(run.frames):
        yield f"No loss was logged, and none {'was measured' if run.seen else 'can be measured of completions alone'}."
        return
    for split, name in (("train", "Training"), ("validation", "Validation")):
        finite = logged_points(run.frames, split)
        of_split = run.frames.losses[run.frames.losses["split"] == split]
        odd = int(of_split["loss_nats"].isna().sum())
        if len(finite) < 2:
            only = f"{nats(float(finite['loss_nats'].iloc[0]))} nats, " if len(finite) else ""
            points = len(finite) + odd
            said = f"{only}the only one logged" if points == len(finite) == 1 else f"{points} logged"
            said = said if points else "not logged"
            yield f"{name} loss: {said}{f', {odd} of them NaN or infinite' if odd else ''}."
            continue
        values = finite["loss_nats"].to_list()
        best = finite.loc[finite["loss_nats"].idxmin()]
        spikes = sum(later > SPIKE * before for before, later in pairwise(values)) if split == "validation" else None
        parts = [
            f"{nats(values[0])} → {nats(values[-1])} nats ({fall_in_words(values[0], values[-1])})",
            f"lowest {nats(float(best['loss_nats']))} at step {int(best['step']):,}",
            *([] if spikes is None else [f"{spikes} spikes"]),
            *([f"{odd} NaN or infinite"] if odd else ["none NaN or infinite"]),
        ]
        yield f"{name} loss: {', '.join(parts)}."


def loss_sources(run: Run) -> str:
    """Where validation losses of scored steps come from that no training log has; nothing where there is none."""
    frames = run.frames
    logged = set(frames.losses[frames.losses["split"] == "validation"].dropna(subset=["loss_nats"])["step"])
    sources: dict[str, list[str]] = {}
    for point in logged_points(frames, "validation").itertuples():
        if point.step not in logged:
            sources.setdefault(str(point.source or "a source that is not recorded"), []).append(f"{point.step:,}")
    if not sources:
        return ""
    named = [f"{prose(source)} (step {', '.join(steps)})" for source, steps in sources.items()]
    more = f"; and {len(named) - SOURCES_NAMED} more" if len(named) > SOURCES_NAMED else ""
    return f"Validation losses that the training log lacks are from {'; '.join(named[:SOURCES_NAMED])}{more}."


def not_compared(run: Run) -> str:
    """Why behaviour can't be held against the loss where it is not."""
    if len(run.frames.numbered().scorecards) < 2:
        return "With fewer than two scored steps nothing can be compared."
    if no_losses(run.frames):
        return "There are no losses of these steps that behaviour could be compared with."
    return "No scored step has both a loss and completions of problems that every step has."


BESIDE_THE_DATA = ("prompt_format", "last_position", "token_boundary")
"""The probes that compare what the model is asked, and what it writes, with its training rows."""


def beside_the_data(run: Run) -> Iterator[str]:
    """How the prompts of training and of scoring compare, and what the rows end in, as the probes say it."""
    claims = {cleared.probe: cleared.claim for cleared in run.last.ruled_out}
    claims |= {finding.probe: finding.claim for finding in run.last.findings}
    return (prose(claims[probe]) for probe in BESIDE_THE_DATA if probe in claims)


def worked(run: Run) -> Iterator[str]:
    """What the records show to be in order."""
    card, frames = run.last, run.frames
    scored, asked = len(frames.scorecards), len(frames.scorecards) + len(run.failures)
    if run.seen:
        yield f"{scored} of {asked} checkpoints load and were scored."
    else:
        yield f"Completions of {counted(scored, 'step')} were judged."
    validation = logged_points(frames, "validation")["loss_nats"].to_list()
    if len(validation) > 1 and validation[-1] < validation[0] and loss_relation(card.loss) != "misleads":
        yield f"The validation loss fell from {nats(validation[0])} to {nats(validation[-1])} nats."
    if loss_relation(card.loss) == "agree":
        yield "The loss is real: it is the same from prefixes alone."
    if card.verdict == "healthy" and not is_too_early_to_tell(card):
        yield "No collapse: the completions are not degenerate beyond what small sound models are."
    passed = [
        (f"{name}, {decoding}", by_k["1"])
        for name, sets in card.pass_at_k.items()
        for decoding, by_k in sets.items()
        if "1" in by_k and by_k["1"].low > 0
    ]
    for name, share in passed:
        yield f"Problems are solved: {prose(name)}, pass@1 {percent_interval(share)}."
    found = {finding.probe for finding in card.findings}
    cleared = [code(name) for name in dict.fromkeys(o.probe for o in card.ruled_out) if name not in found]
    if cleared:
        yield f"Tested, and nothing found, as the table above says in full: {', '.join(cleared)}."


def failed(run: Run) -> Iterator[str]:
    """What the records show not to be."""
    card = run.last
    if card.verdict != "healthy":
        yield f"The model is {card.verdict}: {prose(card.verdict_reason)}."
    unsolved = [
        f"{name}, {decoding} {percent_interval(by_k['1'])}"
        for name, sets in card.pass_at_k.items()
        for decoding, by_k in sets.items()
        if "1" in by_k and by_k["1"].estimate == 0
    ]
    if unsolved:
        yield f"No problem is solved: pass@1 of {prose('; '.join(unsolved))}."
    if loss_relation(card.loss) == "misleads":
        yield prose(loss_meaning_of(card))
    for finding in card.findings:
        if finding.severity != "note":
            yield f"{prose(finding.claim)} ({code(finding.probe)}, {finding.severity})"
    for step, reason in run.failures:
        yield f"Step {step:,} could not be scored: {prose(reason)}"


def next_steps(run: Run) -> Iterator[str]:
    """What the findings say to do, the cause first."""
    for finding in run.last.findings:
        yield f"{prose(finding.remedy)} ({code(finding.probe)})"
