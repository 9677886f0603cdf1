"""The section on what the model of a run does, step by step, with completions of the last step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.records import DECODINGS
from evalharness.report.cause_summary import cause_cell
from evalharness.report.entropy_against_solutions import entropy_by_step
from evalharness.report.loop_rows import BLANK, LINE_END
from evalharness.report.loss_against_behaviour import decoding_of_kinds
from evalharness.report.numbers import nats, nats_interval, percent_interval
from evalharness.report.parts import BulletList, Code, Heading, Link, Paragraph, Strong, Table, marked
from evalharness.report.run_evidence import OtherRun, at_step, step_name
from evalharness.report.sections.beginnings import beginnings_table
from evalharness.report.sections.completions_section import example_parts
from evalharness.report.sections.figure_parts import figure
from evalharness.report.sections.run_entropy import run_entropy_section
from evalharness.report.sections.run_losses import few
from evalharness.report.shares import best_pass_at_1_cell, degeneration_interval, kinds_by_count, verdict_cell
from evalharness.runs import paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.records import Finding, Interval, RuledOut, Scorecard
    from evalharness.report.parts import Part, Text
    from evalharness.report.run_evidence import Run

BESIDE_THE_DATA = ("prompt_format", "last_position", "token_boundary")
"""The probes that compare what the model is given, and what it writes, with its training rows."""


_BEGINNINGS = (
    "What the solutions in the training data begin with, and what the model writes first at the last scored step. "
    f"{BLANK} is a space, {LINE_END} a line end."
)


def run_behaviour_section(run: Run, figures: Mapping[str, bytes]) -> Iterator[Part]:
    """Yield the table by step, the figures, completions, and what the training data looks like beside them."""
    yield Heading("Actual behaviour")
    yield behaviour_table(run)
    yield from run_entropy_section(run)
    yield from figure("kinds_by_step", figures)
    yield from figure("entropy_by_step", figures)
    if run.examples:
        yield Heading("Completions", 3)
        yield Paragraph((f"Completions at {at_step(run.last_step)}; ", *_where_more_are(run), "."))
    for example in run.examples:
        yield from example_parts(example)
    beside, beginnings = tuple(beside_the_data(run)), beginnings_table(run)
    if beside or beginnings is not None:
        yield Heading("Beside the training data", 3)
    if beginnings is not None:
        yield Paragraph(_BEGINNINGS)
        yield beginnings
    if beside:
        yield BulletList(beside)


def _where_more_are(run: Run) -> tuple[str | Code | Link, ...]:
    """The report of the last step, if there is one."""
    report = f"{run.frames.folders[run.last_step].name}/{paths.REPORT}"
    if report in dict(run.files):
        return ("there are more in ", Link("its report", report))
    return (Code("evalharness view"), " shows all")


def behaviour_table(run: Run) -> Table:
    """Return what the model does at each step: verdict, pass@1, degeneration, cause."""
    columns = [
        (info.name, decoding)
        for info in run.last.protocol.problems
        for decoding in DECODINGS
        if "1" in run.last.pass_at_k.get(info.name, {}).get(decoding, {})
    ]
    decodings = [decoding for decoding in DECODINGS if decoding in run.last.degeneration]
    of_kinds = decoding_of_kinds(run.frames)
    entropies = entropy_by_step(run.frames)
    rows = []
    for step in few(run.steps):
        card = run.frames.scorecards[step]
        rate = card.degeneration.get(of_kinds)
        rows.append(
            (
                step_name(step),
                verdict_cell(card),
                *(_share(card.pass_at_k.get(name, {}).get(decoding, {}).get("1")) for name, decoding in columns),
                *(_degenerate(card, decoding) for decoding in decodings),
                kinds_by_count(rate) if rate is not None and rate.kinds else "–",
                *([nats(entropies[step]) if step in entropies else "–"] if entropies else []),
                cause_cell(card),
            )
        )
    header = ("Step", "Verdict", *(f"{name}, {decoding}, pass@1" for name, decoding in columns))
    header += (*(f"Degenerate, {d}" for d in decodings), f"Most frequent kinds, {of_kinds}")
    header += (*(["Entropy, logged"] if entropies else []), "Cause")
    return Table(header, tuple(rows), frozenset({0, *range(2, 2 + len(columns) + len(decodings))}))


def _share(interval: Interval | None) -> str:
    return "–" if interval is None else percent_interval(interval)


def _degenerate(card: Scorecard, decoding: str) -> str:
    rate = card.degeneration.get(decoding)
    return "–" if rate is None else percent_interval(degeneration_interval(rate))


def beside_the_data(run: Run) -> Iterator[Text]:
    """Yield how the prompts of training and of scoring compare, and what the rows end in, as the probes say it."""
    tested: tuple[Finding | RuledOut, ...] = (*run.last.ruled_out, *run.last.findings)
    claims = {outcome.probe: outcome.claim for outcome in tested}
    yield from (marked(claims[probe]) for probe in BESIDE_THE_DATA if probe in claims)


def other_runs_section(run: Run) -> Iterator[Part]:
    """Yield this run beside the others in the folder, each at its last step; nothing if there are none."""
    if not run.others:
        return
    every = [*run.others, OtherRun(run.name, run.last_step, run.last)]
    rows = tuple(_run_row(item, item.name == run.name) for item in sorted(every, key=lambda item: item.name))
    header = ("Run", "Step", "Verdict", "Logged loss", "Honest loss", "Best pass@1", "Degenerate, sampled", "Cause")
    yield Heading("Beside other runs")
    yield Table(header, rows, frozenset({1, 3, 4, 5, 6}))
    yield Paragraph("Each at its last scored step. A lower loss does not mean a better model.")


def _run_row(item: OtherRun, is_own: bool) -> tuple[Text, ...]:
    card = item.card
    return (
        Strong(item.name) if is_own else item.name,
        step_name(item.step),
        verdict_cell(card),
        "–" if card.loss.logged_nats is None else nats(card.loss.logged_nats),
        "–" if card.loss.honest_nats is None else nats_interval(card.loss.honest_nats),
        best_pass_at_1_cell(card),
        _degenerate(card, "sampled"),
        cause_cell(card),
    )
