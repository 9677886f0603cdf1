"""The rows of a run in a terminal."""

from __future__ import annotations

import dataclasses

import pytest
from shipped_records import example_card

from evalharness.diagnosis.catalogue import catalogue
from evalharness.report import failed_row, step_heading, step_row


def text(line) -> str:
    return "".join(piece for _, piece in line)


@pytest.fixture(scope="module")
def card():
    return example_card("leaky")


@pytest.mark.parametrize("probe", [probe.name for probe in catalogue()])
def test_a_row_of_any_cause_fits_into_80_columns_under_its_heading(card, probe):
    finding = dataclasses.replace(card.findings[0], probe=probe, severity="cause")
    with_cause = dataclasses.replace(card, findings=(finding,))
    (row,) = map(text, step_row(10_000, with_cause, 80))
    names = text(step_heading()[1])
    assert len(row) <= 80
    assert row[names.index("cause") :] == probe
    assert names.rstrip().endswith("cause")


def test_where_there_is_less_room_the_cause_is_on_a_line_of_its_own(card):
    first, second = map(text, step_row(10, card, 64))
    assert len(first) <= 64
    assert second.strip() == card.cause.probe
    assert len(list(step_row(10, card))) == 1, "in a file each row is one line"


def test_the_reason_of_a_failure_is_wrapped_between_words(card):
    reason = "the weights in step_10.pt " + "cannot be read " * 10
    rows = [text(row) for row in failed_row(10, reason, 80)]
    assert all(len(row) <= 80 for row in rows)
    assert " ".join(" ".join(rows).split()) == f"10 FAILED: {reason.strip()}"
    assert len(list(failed_row(10, reason))) == 1
