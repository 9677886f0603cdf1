"""The report of a whole training run, as Markdown: what its author would have wanted to know on the day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.checkpoint_report import environment
from evalharness.report.loss_against_behaviour import agreements, decoding_of_kinds, discordances, logged_points
from evalharness.report.numbers import loss_meaning_of, nats, no_cause_in_words, number
from evalharness.report.run_evidence import at_step
from evalharness.report.sections import checkpoint_tables as sections
from evalharness.report.sections import diagnosis_tables as diagnosis
from evalharness.report.sections import run_sentences as run_words
from evalharness.report.sections import run_tables
from evalharness.report.writers.escaping import prose, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.report.run_evidence import Run


def render_run(run: Run, figures: Mapping[str, str]) -> str:
    """Return ``report.md`` of a run. ``figures`` gives the path of each figure relative to it, by its name."""
    agreed, discordant = agreements(run.frames), discordances(run.frames)
    template = environment().get_template("run.md.j2")
    return template.render(
        run=run,
        card=run.last,
        headline=list(_headline(run)),
        facts=_facts(run),
        loss_table=run_tables.loss_table(run),
        loss_summary=list(run_words.loss_summary(run)),
        behaviour_table=run_tables.behaviour_table(run),
        loss_sources=run_words.loss_sources(run),
        agreement=run_tables.agreement_table(agreed),
        agreement_notes=run_tables.agreement_notes(agreed),
        discordance=run_tables.discordance_table(discordant),
        steps=run_tables.step_table(discordant),
        not_compared=run_words.not_compared(run),
        format=list(run_words.beside_the_data(run)),
        others=run_tables.other_runs(run),
        worked=list(run_words.worked(run)),
        failed=list(run_words.failed(run)),
        next_steps=list(run_words.next_steps(run)),
        figures=figures,
        sections=sections,
        diagnosis=diagnosis,
        files=[*run.files, *((path, "figure") for _, path in sorted(figures.items()))],
        at_step=at_step,
        of_kinds=decoding_of_kinds(run.frames),
        last_folder=run.frames.folders[run.last_step].name,
    )


def _headline(run: Run) -> Iterator[str]:
    """The verdict in three lines: what the model does, what the loss is worth, and why."""
    card, verdicts = run.last, [c.verdict for c in run.frames.scorecards.values()]
    same = sum(verdict == card.verdict for verdict in verdicts)
    beside = f", as at {same} of {len(verdicts)} scored steps" if len(verdicts) > 1 else ""
    yield f"{sections.verdict_in_words(card, card.verdict.upper(), f' at {at_step(run.last_step)}{beside}')}."
    validation = logged_points(run.frames, "validation")
    fell = ""
    if len(validation) > 1:
        first, last = validation["loss_nats"].iloc[0], validation["loss_nats"].iloc[-1]
        fell = f"validation {nats(first)} → {nats(last)} nats ({run_tables.fall_in_words(first, last)}). "
    yield f"**Loss**: {fell}{loss_meaning_of(card)}"
    yield f"**Cause**: {prose(card.cause.claim) if card.cause else no_cause_in_words(card)}"


def _facts(run: Run) -> list[tuple[str, str]]:
    """The approach by section, each a table."""
    found: dict[str, list[list[str]]] = {}
    for section, name, value in run.facts:
        found.setdefault(section, []).append([prose(name), prose(value)])
    card = run.last.checkpoint
    found.setdefault("Model", []).extend([["Kind", prose(card.kind)], ["Parameters", number(card.parameters)]])
    return [(section, table(["What", "As read"], rows)) for section, rows in found.items()]
