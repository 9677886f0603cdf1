"""The section on the cause: the findings with their evidence, and every hypothesis that was tested."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evalharness.report.cause_summary import no_cause, was_diagnosed
from evalharness.report.parts import BulletList, Code, Emphasis, Heading, Paragraph, Table, marked, plain_text
from evalharness.report.printable import shortened
from evalharness.report.sections.tested_hypotheses import hypotheses
from evalharness.report.sections.verdict_lines import where_and_how_sure
from evalharness.runs import paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.records import Finding, Scorecard
    from evalharness.report.parts import Part, Text

MAX_VALUE = 400
"""Characters shown of one value of the evidence."""


def cause_section(card: Scorecard, questions: Mapping[str, str], *, remedies: bool) -> Iterator[Part]:
    """Yield the findings, each with what to do if ``remedies`` or if it is a note, and then all other hypotheses."""
    yield Heading("Cause")
    if card.cause is None:
        yield Paragraph(_none_found(card))
    for finding in card.findings:
        yield from _finding(finding, questions, remedies)
    yield Heading("What was tested", 3)
    if was_diagnosed(card):
        yield Paragraph(
            ("Not tested is not ruled out. ", "The figures of every probe are in ", Code(paths.SCORECARD), ".")
            if remedies
            else "Not tested is not ruled out."
        )
    yield from hypotheses(card.findings, card.ruled_out, card.not_testable, questions)


def _none_found(card: Scorecard) -> str:
    if not was_diagnosed(card):
        return f"{no_cause(card).capitalize()}"
    return f"No probe found a cause.{' The findings below contribute, or are worth knowing.' * bool(card.findings)}"


def _finding(finding: Finding, questions: Mapping[str, str], remedies: bool) -> Iterator[Part]:
    yield Heading((Code(finding.probe), f": {finding.severity}"), 3)
    if finding.probe in questions:
        yield Paragraph(Emphasis(questions[finding.probe]))
    yield Paragraph(marked(finding.claim))
    if finding.severity != "note":
        yield BulletList(tuple(where_and_how_sure(finding)))
    if finding.evidence:
        rows = tuple((Code(key), _value(value)) for key, value in finding.evidence.items())
        yield Table(("Measured", "Value"), rows, frozenset({1}))
    if (remedies or finding.severity == "note") and finding.remedy:
        yield Paragraph(marked(f"What to do: {finding.remedy}"))


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
            return _several(value)


def _several(value: Any) -> Text:
    """A few plain values as a line; what is deeper as JSON."""
    if isinstance(value, dict) and value and all(map(_is_plain, value.values())):
        return ", ".join(f"{key} {plain_text(_value(item))}" for key, item in value.items())
    if isinstance(value, (list, tuple)) and value and all(map(_is_plain, value)):
        return shortened(", ".join(plain_text(_value(item)) for item in value), MAX_VALUE)
    return Code(shortened(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str), MAX_VALUE))


def _is_plain(value: Any) -> bool:
    """Whether a value is no list and no record: then a few of them are read as a line."""
    return value is None or isinstance(value, (bool, int, float))
