"""The report of a whole training run: its sections in their order."""

from __future__ import annotations

from itertools import islice, takewhile
from typing import TYPE_CHECKING

from evalharness.records import NO_STEP
from evalharness.report.cause_summary import no_cause
from evalharness.report.entropy_against_solutions import entropy_against_solutions
from evalharness.report.loss_against_behaviour import logged_points
from evalharness.report.loss_verdict import loss_conclusion
from evalharness.report.numbers import nats, relative_change
from evalharness.report.parts import BulletList, Heading, Paragraph, Strong, marked, spans_of
from evalharness.report.run_evidence import at_step
from evalharness.report.sections.agreement_tables import agreement_section
from evalharness.report.sections.cause_section import cause_section
from evalharness.report.sections.files_section import files_section
from evalharness.report.sections.run_behaviour import other_runs_section, run_behaviour_section
from evalharness.report.sections.run_entropy import narrowing
from evalharness.report.sections.run_losses import run_losses_section
from evalharness.report.sections.run_outcome import next_steps, run_outcome_sections
from evalharness.report.sections.training_section import training_section
from evalharness.report.sections.verdict_lines import BRACKETS, on_sets, verdict_text, where_and_how_sure
from evalharness.report.shares import verdict_cell, verdict_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.report.parts import Part, Text
    from evalharness.report.run_evidence import Run


def run_document(run: Run, figures: Mapping[str, bytes]) -> tuple[Part, ...]:
    """Return the report of a run. ``figures`` holds each SVG by its path relative to the report."""
    return tuple(_parts(run, figures))


def _parts(run: Run, figures: Mapping[str, bytes]) -> Iterator[Part]:
    yield Heading(f"{run.name}: {verdict_words(run.last.verdict)}", 1)
    yield BulletList(tuple(_headline(run)))
    yield BRACKETS
    if run.failures:
        yield Paragraph(Strong("This run is incomplete:"))
        yield BulletList(tuple(f"step {step} could not be scored: {reason}" for step, reason in run.failures))
    yield from training_section(run)
    yield from run_losses_section(run, figures)
    yield from run_behaviour_section(run, figures)
    yield from agreement_section(run, figures)
    yield from cause_section(run.last, run.questions, remedies=False)
    yield from other_runs_section(run)
    yield from run_outcome_sections(run)
    yield from files_section(run, figures)


def _headline(run: Run) -> Iterator[Text]:
    """The verdict in a few lines: what the model does and since when, whether its loss is real, why, what to do."""
    card = run.last
    where = f" at {at_step(run.last_step)}{_since(run)}{on_sets(card)}"
    yield verdict_text(card, verdict_words(card.verdict).upper(), where, ".")
    yield (Strong("Loss"), f": {_fall(run)}{loss_conclusion(card)}")
    for comparison in entropy_against_solutions(run.frames):
        if comparison.narrows:
            yield (Strong("Entropy"), f": {narrowing(comparison)}")
    if card.cause is None and card.contributing:
        yield (Strong("Contributing"), ": ", *marked(card.contributing[0].claim))
        yield from where_and_how_sure(card.contributing[0])
    yield (Strong("Cause"), ": ", *marked(card.cause.claim if card.cause else no_cause(card)))
    if card.cause is not None:
        yield from where_and_how_sure(card.cause)
    for step in islice(next_steps(run), 1):
        yield (Strong("What to do"), ": ", *spans_of(step))


def _since(run: Run) -> str:
    """From which scored step on the verdict has been the last one."""
    verdicts = {step: verdict_cell(run.frames.scorecards[step]) for step in run.steps if step != NO_STEP}
    if len(verdicts) < 2 or NO_STEP in run.steps[:1]:
        return ""
    same = list(takewhile(lambda step: verdicts[step] == verdict_cell(run.last), reversed(verdicts)))
    if len(same) == len(verdicts):
        return f", as at all {len(verdicts)} scored steps since {same[-1]:,}"
    return f", since step {same[-1]:,} ({len(same)} of {len(verdicts)} scored steps)" if same else ""


def _fall(run: Run) -> str:
    """How far the validation loss fell; nothing with fewer than two points of it."""
    validation = logged_points(run.frames, "validation")
    if len(validation) < 2:
        return ""
    first, last = validation["loss_nats"].iloc[0], validation["loss_nats"].iloc[-1]
    change = f"{nats(first)} → {nats(last)} nats per token ({relative_change(first, last)})"
    return f"the logged validation loss went {change}. "
