"""The last sections of a run's report: what worked, what failed, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.degeneration import is_too_early_to_tell
from evalharness.report.loss_against_behaviour import logged_points
from evalharness.report.loss_verdict import loss_conclusion, loss_relation
from evalharness.report.numbers import counted, nats, percent_interval
from evalharness.report.parts import BulletList, Code, Heading, NumberedList, Paragraph, Strong, joined, spans_of
from evalharness.report.shares import pass_rates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.report.parts import Part, Text
    from evalharness.report.run_evidence import Run


def run_outcome_sections(run: Run) -> Iterator[Part]:
    """Yield what worked, what failed, and the remedies of the findings, the cause first."""
    yield Heading("What worked, and what failed")
    worked = [("worked: ", *spans_of(text)) for text in _worked(run)]
    failed = [(Strong("failed"), ": ", *spans_of(text)) for text in _failed(run)]
    yield BulletList((*worked, *failed))
    yield Heading("Next steps")
    steps = tuple((f"{finding.remedy} (", Code(finding.probe), ")") for finding in run.last.findings if finding.remedy)
    yield NumberedList(steps) if steps else Paragraph("No finding asks for any.")


def _worked(run: Run) -> Iterator[Text]:
    card, frames = run.last, run.frames
    scored, requested = len(frames.scorecards), len(frames.scorecards) + len(run.failures)
    if run.seen:
        yield f"{scored} of {requested} checkpoints load and were scored."
    else:
        yield f"Completions of {counted(scored, 'step')} were judged."
    validation = logged_points(frames, "validation")["loss_nats"].to_list()
    if len(validation) > 1 and validation[-1] < validation[0] and loss_relation(card.loss) != "misleads":
        yield f"The validation loss fell from {nats(validation[0])} to {nats(validation[-1])} nats per token."
    if loss_relation(card.loss) == "agree":
        yield "The loss is real: it is the same without access to future tokens."
    if card.verdict == "healthy" and not is_too_early_to_tell(card):
        yield "No collapse: no more completions are degenerate than those of small sound models."
    for rate in pass_rates(card):
        if rate.k == "1" and rate.share.low > 0:
            yield f"Problems are solved: {rate.problems}, {rate.decoding}, pass@1 {percent_interval(rate.share)}."
    with_finding = {finding.probe for finding in card.findings}
    cleared = [Code(name) for name in dict.fromkeys(item.probe for item in card.ruled_out) if name not in with_finding]
    if cleared:
        yield ("Tested and ruled out (see the table above): ", *joined(cleared, ", "), ".")


def _failed(run: Run) -> Iterator[Text]:
    card = run.last
    if card.verdict == "not_judged":
        yield f"Whether the model degenerates is not judged: {card.verdict_reason}."
    elif card.verdict != "healthy":
        yield f"The model is {card.verdict}: {card.verdict_reason}."
    unsolved = [
        f"{rate.problems}, {rate.decoding} {percent_interval(rate.share)}"
        for rate in pass_rates(card)
        if rate.k == "1" and rate.share.estimate == 0
    ]
    if unsolved:
        yield f"No problem is solved: pass@1 of {'; '.join(unsolved)}."
    if loss_relation(card.loss) == "misleads":
        yield loss_conclusion(card)
    for finding in card.findings:
        if finding.severity != "note":
            yield (f"{finding.claim} (", Code(finding.probe), f", {finding.severity})")
    for step, reason in run.failures:
        yield f"Step {step:,} could not be scored: {reason}"
