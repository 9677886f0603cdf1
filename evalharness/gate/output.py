"""What a gate says, and where: lines, JSON, JUnit's XML, GitHub's step summary, and the text of a failed test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from evalharness.errors import StoreError
from evalharness.report import render_card
from evalharness.report.numbers import percent_interval
from evalharness.report.parts import Heading, Listing, Paragraph, Table, marked, plain_text
from evalharness.report.printable import visible
from evalharness.report.shares import caveat, verdict_words
from evalharness.report.stored_examples import read_examples
from evalharness.report.writers import markdown
from evalharness.runs import paths
from evalharness.runs.files import append_file
from evalharness.runs.json_values import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evalharness.gate.checks import CheckResult
    from evalharness.gate.decision import GateResult
    from evalharness.pipeline import ScoreResult
    from evalharness.report.parts import Part, Text

WORDS = {"passed": "ok", "failed": "FAILED", "skipped": "NOT EVALUATED", "not_evaluated": "NOT EVALUATED"}
"""By outcome. In a gate, what was asked for and is skipped was not evaluated."""
SUMMARY_BYTES = 1024 * 1024
"""GitHub's limit for one step's summary, beyond which it shows none ("Workflow commands for GitHub Actions")."""
_ENDS = {0: "gate passed", 1: "gate failed", 3: "gate failed: something could not be evaluated"}


def lines(gate: GateResult) -> Iterator[str]:
    """One line for each check, what the score lacks, and how it ends."""
    for result in gate.results:
        yield f"{WORDS[result.outcome]:<14}{result.name}: {visible(result.reason)}"
    for lack in gate.incomplete:
        yield f"{'INCOMPLETE':<14}{visible(str(lack))}"
    yield f"{_ENDS[gate.exit_code]}; report: {gate.scored.folder / paths.REPORT}"
    if gate.exit_code == 1:
        yield f"\n{evidence_text(gate.scored)}"


def to_json(gate: GateResult) -> str:
    """Everything as one JSON object."""
    card = gate.scored.scorecard
    content: dict[str, Any] = {
        "checkpoint": card.checkpoint.path,
        "fingerprint": card.checkpoint.fingerprint,
        "verdict": card.verdict,
        "passed": gate.exit_code == 0,
        "exit_code": gate.exit_code,
        "checks": [{"name": r.name, "outcome": r.outcome, "reason": r.reason} for r in gate.results],
        "incomplete": plain(gate.incomplete),
        "report": str(gate.scored.folder / paths.REPORT),
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def to_junit(gate: GateResult) -> str:
    """The checks as JUnit's XML, the form that CI systems read: one ``testcase`` for each check."""
    card = gate.scored.scorecard
    cases = [*gate.results]
    failed = sum(result.outcome == "failed" for result in cases)
    errors = sum(result.outcome in {"skipped", "not_evaluated"} for result in cases) + bool(gate.incomplete)
    counts = {"tests": str(len(cases) + bool(gate.incomplete)), "failures": str(failed), "errors": str(errors)}
    root, suite = _suite(counts)
    properties = ET.SubElement(suite, "properties")
    for name, value in properties_of(gate.scored):
        ET.SubElement(properties, "property", {"name": name, "value": _xml(value)})
    for result in cases:
        case = ET.SubElement(suite, "testcase", {"classname": _xml(card.checkpoint.path), "name": result.name})
        if result.outcome != "passed":
            element = "failure" if result.outcome == "failed" else "error"
            content = ET.SubElement(case, element, {"message": _xml(result.reason)})
            content.text = _xml(failure_text(result, gate.scored))
    if gate.incomplete:
        _add_error(suite, card.checkpoint.path, "complete", "; ".join(map(str, gate.incomplete)))
    return _written(root)


def to_markdown(gate: GateResult) -> str:
    """A section for GitHub's step summary: a table of the checks, the card, the worst completion. No images."""
    card, report = gate.scored.scorecard, gate.scored.folder / paths.REPORT
    rows: list[tuple[Text, ...]]
    rows = [(WORDS[result.outcome], result.name, marked(result.reason)) for result in gate.results]
    rows += [("INCOMPLETE", "score", str(lack)) for lack in gate.incomplete]
    worst = worst_completion(gate.scored.folder) if gate.exit_code == 1 else ""
    shown = (Paragraph("The worst completion:"), Listing(worst)) if worst else ()
    return _section(
        Heading(f"evalharness gate: {card.checkpoint.path}"),
        Paragraph(_ENDS[gate.exit_code]),
        Table(("", "check", ""), tuple(rows)),
        Listing(str(render_card(card, report))),
        *shown,
    )


def _section(*parts: Part) -> str:
    return f"\n{markdown.to_markdown(parts)}\n"  # starts on a line of its own whatever is there already


def error_to_junit(checkpoint: Path, error: Exception) -> str:
    """JUnit's XML where nothing could be evaluated at all: one ``testcase``, which is an error."""
    root, suite = _suite({"tests": "1", "failures": "0", "errors": "1"})
    _add_error(suite, str(checkpoint), "evaluated", str(error))
    return _written(root)


def _suite(counts: dict[str, str]) -> tuple[ET.Element, ET.Element]:
    root = ET.Element("testsuites", counts)
    return root, ET.SubElement(root, "testsuite", {"name": "evalharness gate", **counts, "skipped": "0"})


def _add_error(suite: ET.Element, checkpoint: str, name: str, message: str) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": _xml(checkpoint), "name": name})
    ET.SubElement(case, "error", {"message": _xml(message)})


def _written(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def error_to_json(checkpoint: Path, error: Exception) -> str:
    """The same as one JSON object."""
    content = {"checkpoint": str(checkpoint), "passed": False, "error": str(error)}
    return json.dumps(content, indent=2, ensure_ascii=False)


def error_to_markdown(checkpoint: Path, error: Exception) -> str:
    """The same as a section for GitHub's step summary."""
    return _section(Heading(f"evalharness gate: {checkpoint}"), Paragraph(f"{_ENDS[3]}: {error}"))


def append_summary(section: str, target: Path) -> str | None:
    """Append a section to a step's summary, or its heading and outcome where all of it is too much; what was wrong.

    The summary was not asked for on the command line, so what is wrong with it does not change how a gate ends.
    """
    heading, outcome, *_ = section.strip().split("\n\n")
    try:
        for text in (section, f"\n{heading}\n\n{outcome}\n\n"):
            if append_file(target, text, largest_bytes=SUMMARY_BYTES):
                return None
    except StoreError as error:
        return str(error)
    return f"{target}: is full (GitHub takes {SUMMARY_BYTES:,} bytes); the gate's summary is not in it"


def failure_text(result: CheckResult, scored: ScoreResult) -> str:
    """What, where, the card with its cause and the report's path, and the worst completion with its loop marked."""
    return f"{failure_line(result, scored)}\n\n{evidence_text(scored)}"


def failure_line(result: CheckResult, scored: ScoreResult) -> str:
    """Which check does not hold, for which checkpoint, and why."""
    verb = {"failed": "does not hold", "not_evaluated": "could not be evaluated", "skipped": "could not be evaluated"}
    outcome = f"{verb.get(result.outcome, 'holds')} for {scored.scorecard.checkpoint.path}"
    return f"{result.name} {outcome}: {visible(result.reason)}"


def evidence_text(scored: ScoreResult) -> str:
    """The card with its cause and the report's path, and the worst completion with its loop marked."""
    shown = worst_completion(scored.folder)
    return "\n\n".join([card_text(scored), *([f"the worst completion, {shown}"] if shown else [])])


def card_text(scored: ScoreResult) -> str:
    """The card of a scored checkpoint as plain text."""
    return str(render_card(scored.scorecard, scored.folder / paths.REPORT))


def summary_line(scored: ScoreResult) -> str:
    """A checkpoint, its verdict and its figures on one line."""
    card = scored.scorecard
    greedy = {name: by_decoding.get("greedy", {}).get("1") for name, by_decoding in card.pass_at_k.items()}
    figures = [f"{name} greedy pass@1 {percent_interval(share)}" for name, share in greedy.items() if share]
    figures += [f"{100 * rate.rate:.1f} % of {name} degenerate" for name, rate in card.degeneration.items()]
    missing = [f"incomplete: {lack}" for lack in card.incomplete[:1]]
    verdict = verdict_words(card.verdict).upper() + caveat(card)
    words = [verdict, *figures, *missing, str(scored.folder / paths.REPORT)]
    return visible(f"{card.checkpoint.path}: {', '.join(words)}")


def worst_completion(folder: Path) -> str:
    """The worst completion of a scored step with its loop marked, as plain text; empty where none is degenerate."""
    try:
        example = next(iter(read_examples(folder)), None)
    except StoreError:
        return ""
    if example is None or example.kind is None:
        return ""
    generated = example.generated
    shown = "\n".join(map(str, generated.rows)) if generated.rows else generated.text
    return f"{plain_text(example.heading)}\n{visible(shown)}"


def properties_of(scored: ScoreResult) -> list[tuple[str, str]]:
    """What stands in JUnit files about a scored checkpoint."""
    card = scored.scorecard
    properties = [
        ("evalharness_checkpoint", card.checkpoint.path),
        ("evalharness_fingerprint", card.checkpoint.fingerprint),
        ("evalharness_verdict", card.verdict),
    ]
    for name, by_decoding in card.pass_at_k.items():
        share = by_decoding.get("greedy", {}).get("1")
        properties += [(f"evalharness_{name}_greedy_pass_at_1", percent_interval(share))] if share else []
    rate = card.degeneration.get("sampled") or card.degeneration.get("greedy")
    properties += [("evalharness_degenerate", f"{100 * rate.rate:.1f} %")] if rate else []
    return [*properties, ("evalharness_report", str(scored.folder / paths.REPORT))]


def _xml(text: str) -> str:
    """Text without what XML 1.0 has no place for."""
    return "".join(char for char in visible(text) if char in "\n\t" or ord(char) >= 0x20)
