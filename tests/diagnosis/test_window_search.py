from random import Random

import pytest
from scripted import scripted, split, subject

from evalharness.degeneration.lexemes import lexemes
from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.data.window_search import ROWS, RowSample, WindowSearch
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.split_overlap import split_overlap
from evalharness.records import Finding, RuledOut

WORDS = [f"w{number}" for number in range(4_000)]
TEXT = " ".join(Random(0).sample(WORDS, 4_000))
NOTICE = " ".join(Random(1).sample(WORDS, 30))


def overlaps(rows, others):
    search = WindowSearch({i: lexemes(text) for i, text in enumerate(rows)})
    for text in others:
        search.read(lexemes(text))
    return search.found()


def pieces(begin, step, count, length=300):
    return [TEXT[at : at + length] for at in range(begin, begin + step * count, step)]


@pytest.mark.parametrize("shift", [-150, -90, 7, 130])
def test_two_windows_of_one_text_share_what_lies_in_both(shift):
    found = overlaps([TEXT[1000:1300]], [TEXT[1000 + shift : 1300 + shift]])
    assert found.covered(0) == pytest.approx(1 - abs(shift) / 300, abs=0.06)


@pytest.mark.parametrize("window", [TEXT[900:1500], TEXT[1050:1250]], ids=["around it", "within it"])
def test_a_window_around_another_and_within_it_is_seen(window):
    assert overlaps([TEXT[1000:1300]], [window]).covered(0) == pytest.approx(min(1.0, len(window) / 300), abs=0.06)


def test_what_unrelated_rows_share_ends_in_a_difference_and_is_no_window():
    rows = [f"{TEXT[at : at + 200]} {NOTICE} {TEXT[at + 500 : at + 700]}" for at in (0, 1000, 2000)]
    others = [f"{TEXT[at : at + 200]} {NOTICE} {TEXT[at + 500 : at + 700]}" for at in (4000, 5500)]
    headed = [f"{NOTICE} {TEXT[at : at + 200]}" for at in (8000, 9000)]
    found = overlaps([*rows, headed[0]], [*others, headed[1]])
    assert not found.spans
    assert found.shared_only


def asked(train, validation):
    splits = {"train": [DataRow("", text) for text in train], "validation": [DataRow("", text) for text in validation]}
    made = {name: split(rows, source=f"{name}.jsonl") for name, rows in splits.items()}
    return split_overlap(Measured(subject(scripted(context_length=None), **made)))


def test_windows_of_one_text_in_both_splits_are_a_cause_and_their_loss_is_told():
    windows = pieces(0, 60, 100)
    Random(2).shuffle(windows)
    found = asked(windows[20:], windows[:20])
    assert isinstance(found, Finding)
    assert found.severity == "cause"
    assert found.evidence["rows_searched_as_windows"] == 20
    assert found.evidence["rows_that_are_windows"] >= 18
    assert found.evidence["validation_rows_in_training"] == 0
    assert found.evidence["overlapping_low_nats"] <= found.evidence["overlapping_nats"]


def test_windows_of_a_text_that_was_split_at_one_point_are_cleared():
    assert isinstance(asked(pieces(0, 60, 100), pieces(7000, 60, 20)), RuledOut)


def test_a_sample_of_rows_is_as_large_as_it_may_be_and_drawn_from_all():
    sample = RowSample()
    for index in range(3 * ROWS):
        sample.add(index, [str(index)])
    rows = sample.rows()
    assert len(rows) == ROWS
    assert max(rows) > 2 * ROWS
    assert all(words == [str(index)] for index, words in rows.items())
