"""A diagnosis in lines for a terminal: the losses, the findings, and what else was tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.certainty import certainty
from evalharness.report.log_words import log_of_loss
from evalharness.report.loss_verdict import loss_figures, loss_sentence
from evalharness.report.parts import plain_text, unmarked
from evalharness.report.sections.tested_hypotheses import names_in_line
from evalharness.report.untested import NOT_APPLICABLE, by_group
from evalharness.report.where import where

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import Finding, Incomplete, Loss, NotTestable, RuledOut


def loss_lines(loss: Loss, findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the losses and whether they are real, for a terminal."""
    source = "" if loss.logged_nats is None else f" Logged: {loss.logged_source}."
    yield f"{', '.join(loss_figures(loss)) or 'none known'}, in nats per token. {loss_sentence(loss, findings)}{source}"
    if (text := log_of_loss(loss)) is not None:
        yield f"Log: {text}."
    if loss.recomputed_nats is not None:
        yield f"Recomputed: {loss.convention}. A probe that measures a loss on other rows or targets says so."


def diagnosis_text(
    findings: Sequence[Finding],
    ruled_out: Sequence[RuledOut],
    not_testable: Sequence[NotTestable],
    incomplete: Sequence[Incomplete],
) -> str:
    """Return everything that a diagnosis says, a line for each thing."""
    lines = [*diagnosis_lines(findings, ruled_out, not_testable), *(("incomplete", str(lack)) for lack in incomplete)]
    return "\n".join(f"{label}: {text}" if label else text for label, text in lines)


def diagnosis_lines(
    findings: Sequence[Finding],
    ruled_out: Sequence[RuledOut],
    not_testable: Sequence[NotTestable],
    *,
    each: bool = True,
) -> Iterator[tuple[str, str]]:
    """Yield ``(label, sentence)`` for a terminal: findings with what to do, then what was ruled out or not tested.

    Without ``each`` a line has all hypotheses that were ruled out, and one all that could not be tested for one reason.
    """
    if all(finding.severity == "note" for finding in findings):
        yield "cause", "none found"
    for finding in findings:
        yield finding.severity, f"{finding.probe}: {unmarked(finding.claim)}"
        if place := where(finding):
            yield "where", plain_text(place)
        if finding.severity != "note":
            yield "how sure", certainty(finding)
        if finding.remedy:
            yield "", f"What to do: {unmarked(finding.remedy)}"
    yield from _each(ruled_out, not_testable) if each else _in_groups(ruled_out, not_testable)


def _each(ruled_out: Sequence[RuledOut], not_testable: Sequence[NotTestable]) -> Iterator[tuple[str, str]]:
    yield from (("ruled out", f"{cleared.probe}: {unmarked(cleared.claim)}") for cleared in ruled_out)
    for group, members in by_group(not_testable):
        yield from ((group, f"{item.probe}: {unmarked(item.reason)}") for item in members)


def _in_groups(ruled_out: Sequence[RuledOut], not_testable: Sequence[NotTestable]) -> Iterator[tuple[str, str]]:
    for group, members in by_group(not_testable):
        if group == NOT_APPLICABLE:
            yield "tested", names_in_line(members, group)
            continue
        for reason in dict.fromkeys(item.reason for item in members):
            names = dict.fromkeys(item.probe for item in members if item.reason == reason)
            yield group, f"{', '.join(names)}: {unmarked(reason)}"
    if ruled_out:
        yield "tested", names_in_line(ruled_out, "ruled out")
