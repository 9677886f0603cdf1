"""What ``evalharness diagnose`` and ``preflight`` print: findings and what was ruled out; as text or as JSON."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import TYPE_CHECKING, Any

from evalharness.report import diagnosis_lines, loss_lines
from evalharness.runs.json_values import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis import Diagnosis
    from evalharness.pipeline import DiagnosisResult

LABEL_WIDTH = 14
WIDTHS = (72, 100)
"""Columns that text is wrapped to, at least and at most."""


def lines(result: DiagnosisResult) -> Iterator[str]:
    """Yield the whole diagnosis, wrapped for a terminal."""
    judgement, diagnosis = result.judgement, result.diagnosis
    yield from _wrapped("behaviour", f"{judgement.verdict}: {judgement.reason}")
    for text in loss_lines(result.loss):
        yield from _wrapped("loss (nats)", text)
    for label, text in diagnosis_lines(diagnosis.findings, diagnosis.ruled_out, diagnosis.not_testable):
        yield from _wrapped(label, text)
    for text in result.incomplete:
        yield from _wrapped("incomplete", text)


def to_json(result: DiagnosisResult) -> str:
    """Everything that was established as one JSON object; ``findings`` come first cause first."""
    diagnosis = result.diagnosis
    content: dict[str, Any] = {
        "checkpoint": result.checkpoint,
        "verdict": result.judgement.verdict,
        "verdict_reason": result.judgement.reason,
        "loss": result.loss,
        "findings": diagnosis.findings,
        "ruled_out": diagnosis.ruled_out,
        "not_testable": diagnosis.not_testable,
        "incomplete": result.incomplete,
    }
    return json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False)


def preflight_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield what a preflight established, wrapped for a terminal."""
    for label, text in diagnosis_lines(diagnosis.findings, diagnosis.ruled_out, diagnosis.not_testable):
        yield from _wrapped(label, text)
    for text in diagnosis.incomplete:
        yield from _wrapped("incomplete", text)


def preflight_json(diagnosis: Diagnosis) -> str:
    """The same as one JSON object."""
    return json.dumps(plain(diagnosis), indent=2, ensure_ascii=False, allow_nan=False)


def _wrapped(label: str, text: str) -> list[str]:
    low, high = WIDTHS
    room = max(low, min(high, shutil.get_terminal_size((high, 24)).columns)) - LABEL_WIDTH
    first, *others = textwrap.wrap(" ".join(text.split()), room, break_on_hyphens=False) or [""]
    return [label.ljust(LABEL_WIDTH) + first, *(" " * LABEL_WIDTH + line for line in others)]
