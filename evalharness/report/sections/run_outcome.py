"""The last sections of a run's report: what worked, what failed, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.degeneration import greedy_share_against
from evalharness.report.loss_against_behaviour import logged_points
from evalharness.report.loss_verdict import loss_conclusion, loss_relation
from evalharness.report.numbers import nats, percent_interval, relative_change
from evalharness.report.parts import BulletList, Code, Heading, NumberedList, Paragraph, Strong, marked, spans_of
from evalharness.report.printable import first_sentence
from evalharness.report.sections.dead_ends import dead_ends
from evalharness.report.sections.run_losses import spikes_in
from evalharness.report.shares import caveat, pass_rates
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.report.parts import Part, Text
    from evalharness.report.run_evidence import Run


def run_outcome_sections(run: Run) -> Iterator[Part]:
    """Yield what worked, what failed, what not to try again, and the remedies of the findings, the cause first."""
    yield Heading("What worked, and what failed")
    worked = [("worked: ", *spans_of(text)) for text in _worked(run)]
    failed = [(Strong("failed"), ": ", *spans_of(text)) for text in _failed(run)]
    yield BulletList((*worked, *failed))
    in_vain = tuple(dead_ends(run))
    if in_vain:
        yield Heading("Don't try again")
        yield Paragraph("Each was tested on this run and is not what is wrong with it.")
        yield BulletList(in_vain)
    yield Heading("Next steps")
    steps = tuple(next_steps(run))
    yield NumberedList(steps) if steps else Paragraph("No finding asks for any.")


def next_steps(run: Run) -> Iterator[Text]:
    """Yield the remedies of what is wrong, the cause first. A note explains nothing, so none is built on it."""
    for finding in run.last.findings:
        if finding.severity != "note" and finding.remedy:
            yield (*marked(finding.remedy), " (", Code(finding.probe), ")")


def _worked(run: Run) -> Iterator[Text]:
    scored, requested = len(run.frames.scorecards), len(run.frames.scorecards) + len(run.failures)
    if run.seen:
        yield f"{scored} of {requested} checkpoints load and were scored."
    else:
        yield f"Completions of {counted(scored, 'step')} were judged."
    yield from _data(run)
    yield from _adapter(run)
    yield from _training(run)
    yield from _behaviour(run)


def _data(run: Run) -> Iterator[Text]:
    """How many rows could be read, and whether validation rows are apart from training rows."""
    rows = [f"{counted(file.rows, 'row')} of {file.split} data" for file in run.data]
    is_apart = any(item.probe == "split_overlap" for item in run.last.ruled_out)
    apart = ", and no validation row is among the training rows" if is_apart else ""
    if rows:
        yield f"Data: {' and '.join(rows)} are in the expected form{apart}."


def _adapter(run: Run) -> Iterator[Text]:
    """The adapter, if its probe cleared it, or if nothing is known of it but that it loads."""
    cleared = [item for item in run.last.ruled_out if item.probe == "adapter"]
    kind = run.fact("Method", "Adapter")
    if any(finding.probe == "adapter" for finding in run.last.findings):
        return
    if cleared:
        yield marked(f"Adapter: {first_sentence(cleared[0].claim)}")
    elif kind is not None:
        yield f"Adapter: {kind} loads over its base at every scored step."


def _training(run: Run) -> Iterator[Text]:
    """Whether training was stable, and how far the validation loss fell, real or not."""
    losses = run.frames.losses
    finite = int(losses["loss_nats"].notna().sum())
    validation = logged_points(run.frames, "validation")["loss_nats"].to_list()
    if finite > 1 and finite == len(losses) and not spikes_in(validation):
        yield f"Stability: none of {finite:,} logged losses is NaN or infinite, and the validation loss has no spike."
    if len(validation) > 1 and validation[-1] < validation[0]:
        fall = f"{nats(validation[0])} to {nats(validation[-1])} nats per token"
        not_real = ", but this is not the model's real loss (see below)" * (loss_relation(run.last.loss) == "misleads")
        yield (
            f"Fall of the loss: the logged validation loss fell from {fall} "
            f"({relative_change(validation[0], validation[-1])}){not_real}."
        )
    if loss_relation(run.last.loss) == "agree":
        yield "The loss is real: it is the same without access to future tokens."


def _behaviour(run: Run) -> Iterator[Text]:
    card = run.last
    if card.verdict == "healthy" and not caveat(card):
        yield "No collapse: no more completions are degenerate than those of small sound models."
    for rate in pass_rates(card):
        if rate.k == "1" and rate.share.low > 0:
            yield f"Problems are solved: {rate.problems}, {rate.decoding}, pass@1 {percent_interval(rate.share)}."


def _failed(run: Run) -> Iterator[Text]:
    card = run.last
    if card.verdict == "not_judged":
        yield f"Whether the model degenerates is not judged: {card.verdict_reason}."
    elif card.verdict != "healthy":
        yield f"The model is {card.verdict}: {card.verdict_reason}."
    elif (greedy := greedy_share_against(card)) is not None:
        yield f"Greedy decoding: {percent_interval(greedy)} of its completions are degenerate."
    unsolved = [
        f"{rate.problems}, {rate.decoding}: pass@1 {percent_interval(rate.share)}"
        for rate in pass_rates(card)
        if rate.k == "1" and rate.share.estimate == 0
    ]
    if unsolved:
        yield f"Nothing passes in {'; '.join(unsolved)}."
    if loss_relation(card.loss) == "misleads":
        yield loss_conclusion(card)
    for finding in card.findings:
        if finding.severity != "note":
            yield (*marked(finding.claim), " (", Code(finding.probe), f", {finding.severity})")
    for step, reason in run.failures:
        yield f"Step {step:,} could not be scored: {reason}"
