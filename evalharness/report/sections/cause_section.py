"""The section on the cause: the findings with their evidence, and every hypothesis that was tested."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evalharness.report.cause_summary import no_cause, was_diagnosed
from evalharness.report.log_words import log_words
from evalharness.report.loss_verdict import loss_figures, loss_sentence
from evalharness.report.parts import Code, Heading, Paragraph, Strong, Table, marked
from evalharness.report.printable import shortened
from evalharness.runs import paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import Finding, Loss, NotTestable, RuledOut, Scorecard
    from evalharness.report.parts import Part, Text

MAX_VALUE = 400
"""Characters shown of one value of the evidence."""


def cause_section(card: Scorecard, questions: Mapping[str, str], *, remedies: bool) -> Iterator[Part]:
    """Yield the findings, each with what to do if ``remedies`` or if it is a note, and the table of all hypotheses."""
    yield Heading("Cause")
    if card.cause is None:
        yield Paragraph(_none_found(card))
    for finding in card.findings:
        yield from _finding(finding, remedies)
    yield Heading("What was tested", 3)
    yield hypotheses(card.findings, card.ruled_out, card.not_testable, questions)
    if was_diagnosed(card):
        yield Paragraph(
            ("Not testable is not ruled out. ", "The figures of every probe are in ", Code(paths.SCORECARD), ".")
            if remedies
            else "Not testable is not ruled out."
        )


def _none_found(card: Scorecard) -> str:
    if not was_diagnosed(card):
        return f"{no_cause(card).capitalize()}"
    return f"No probe found a cause.{' The findings below contribute, or are worth knowing.' * bool(card.findings)}"


def _finding(finding: Finding, remedies: bool) -> Iterator[Part]:
    yield Heading((Code(finding.probe), f": {finding.severity}"), 3)
    yield Paragraph(marked(finding.claim))
    if finding.evidence:
        rows = tuple((Code(key), _value(value)) for key, value in finding.evidence.items())
        yield Table(("Measured", "Value"), rows, frozenset({1}))
    if (remedies or finding.severity == "note") and finding.remedy:
        yield Paragraph(marked(f"What to do: {finding.remedy}"))


def hypotheses(
    findings: Sequence[Finding],
    ruled_out: Sequence[RuledOut],
    not_testable: Sequence[NotTestable],
    questions: Mapping[str, str],
) -> Part:
    """Return the table of every hypothesis with its result, in the order in which the probes run.

    If none was tested, and all for one reason, a sentence says it.
    """
    reasons = {item.reason for item in not_testable}
    if not findings and not ruled_out and len(reasons) <= 1:
        return Paragraph(f"Nothing was tested{''.join(f': {reason}' for reason in reasons)}.")
    rows: list[tuple[str, Text, str]] = [(f.probe, Strong(f.severity), f.claim) for f in findings]
    rows += [(r.probe, "ruled out", r.claim) for r in ruled_out]
    rows += [(n.probe, _untested(n), n.reason) for n in not_testable]
    order = {name: i for i, name in enumerate(questions)}
    rows.sort(key=lambda row: order.get(row[0], len(order)))
    return Table(
        ("Hypothesis", "Probe", "Result", "What was measured"),
        tuple((questions.get(name, ""), Code(name), result, marked(claim)) for name, result, claim in rows),
    )


def _untested(outcome: NotTestable) -> str:
    """What to call it: a probe that there was no time for could have been tested."""
    return "not tested" if outcome.kind == "no_time" else "not testable"


def _value(value: Any) -> Text:
    """One value of a probe's evidence, whatever it is."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
        case str():
            return marked(shortened(value, MAX_VALUE))
        case _:
            return Code(shortened(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str), MAX_VALUE))


def loss_lines(loss: Loss, findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the losses and whether they are real, for a terminal."""
    source = "" if loss.logged_nats is None else f" Logged: {loss.logged_source}."
    yield f"{', '.join(loss_figures(loss)) or 'none known'}, in nats per token. {loss_sentence(loss, findings)}{source}"
    if loss.log is not None:
        yield f"Log: {log_words(loss.log)}."
    if loss.recomputed_nats is not None:
        yield f"Recomputed: {loss.convention}. A probe that measures a loss on other rows or targets says so."


def diagnosis_lines(
    findings: Sequence[Finding], ruled_out: Sequence[RuledOut], not_testable: Sequence[NotTestable]
) -> Iterator[tuple[str, str]]:
    """Yield ``(label, sentence)`` for a terminal: findings with what to do, then what was ruled out or not testable."""
    if all(finding.severity == "note" for finding in findings):
        yield "cause", "none found"
    for finding in findings:
        yield finding.severity, f"{finding.probe}: {finding.claim}"
        if finding.remedy:
            yield "", f"What to do: {finding.remedy}"
    for cleared in ruled_out:
        yield "ruled out", f"{cleared.probe}: {cleared.claim}"
    for untested in not_testable:
        yield _untested(untested), f"{untested.probe}: {untested.reason}"
