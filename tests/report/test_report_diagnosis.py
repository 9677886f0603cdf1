from dataclasses import replace
from typing import get_args
from xml.etree import ElementTree as ET

import pytest
import report_example as example
from golden_text import lines_with

from evalharness.records import Finding, NotTestable, NotTestableKind, RuledOut
from evalharness.report import Read, card_lines, diagnosis_lines, loss_by_class_figure, passage_figure
from evalharness.report.cause_summary import no_cause
from evalharness.report.figures.passage_plot import COLUMNS, colour
from evalharness.report.numbers import nats
from evalharness.report.parts import Code
from evalharness.report.sections.loss_tables import conventions, loss_parts, losses_table
from evalharness.report.sections.tested_hypotheses import hypotheses
from evalharness.report.untested import REASONS

LEAK = Finding("future_leak", "cause", "It leaks.", {}, "Mask it.")
NOTE = Finding("prompt_in_loss", "note", "The prompt counts.", {}, "Say so.")


QUESTIONS = {"future_leak": "Leaky?", "adapter": "Adapted?", "not_finite": "Finite?", "context": "Cut?"}
CLEARED = (RuledOut("context", "No row is.", {}), RuledOut("not_finite", "All are.", {}))
NOT_ASKED = NotTestable("adapter", "no_adapter", "it is none")
UNLOGGED = NotTestable("future_leak", "no_log", "no log")


def test_what_is_open_comes_first_with_what_would_supply_it_and_the_rest_is_folded():
    missing, moot, cleared = hypotheses([LEAK], CLEARED, [NOT_ASKED, UNLOGGED], QUESTIONS)
    assert [row[:3] for row in missing.rows] == [("Leaky?", Code("future_leak"), "missing input")]
    assert "[log] path" in missing.rows[0][-1]
    assert [row[:2] for row in moot.parts[0].rows] == [("Adapted?", Code("adapter"))]
    assert [row[1] for row in cleared.parts[0].rows] == [Code("not_finite"), Code("context")]
    assert cleared.summary.startswith("2 hypotheses ruled out: not_finite, context")


def test_without_a_hypothesis_of_a_kind_its_table_is_left_out():
    (cleared,) = hypotheses([], CLEARED[:1], [], QUESTIONS)
    assert cleared.summary.startswith("1 hypothesis ruled out: context")


def test_every_kind_of_reason_has_a_group_and_only_what_does_not_apply_or_is_old_needs_nothing():
    assert set(REASONS) == set(get_args(NotTestableKind))
    unsupplied = {kind for kind, reason in REASONS.items() if not reason.supplied_by}
    assert unsupplied == {"no_adapter", "declared", "does_not_apply", "not_recorded"}


def test_a_terminal_has_a_line_for_all_that_is_ruled_out_and_one_for_each_reason():
    also_unlogged = NotTestable("context", "no_log", "no log")
    untested = [NOT_ASKED, UNLOGGED, also_unlogged]
    lines = list(diagnosis_lines([LEAK], CLEARED, untested, each=False))[-3:]
    assert lines == [
        ("missing input", "future_leak, context: no log"),
        ("tested", "1 hypothesis not applicable: adapter"),
        ("tested", "2 hypotheses ruled out: context, not_finite"),
    ]
    whole = list(diagnosis_lines([LEAK], CLEARED, untested, each=True))[-5:]
    assert [label for label, _ in whole] == ["ruled out"] * 2 + ["missing input"] * 2 + ["not applicable"]


LATE = NotTestable("adapter", "no_time", "no time left (--within 5m)")


def test_what_there_was_no_time_for_is_not_tested_and_neither_ruled_out_nor_not_testable():
    assert list(diagnosis_lines([], [], [LATE]))[-1][0] == "no time"
    late, _ = hypotheses([], CLEARED, [LATE], QUESTIONS)
    assert [row[2] for row in late.rows] == ["no time"]
    assert "--within" in late.rows[0][-1]


def test_a_card_and_a_cause_in_a_sentence_count_apart_what_there_was_no_time_for(golden_text):
    known = NotTestable("cache_mismatch", "capability", "r")
    card = example.scorecard(findings=(), ruled_out=(RuledOut("context", "c", {}),), not_testable=(known, LATE))
    golden_text(no_cause(card))
    printed = "\n".join("".join(text for _, text in line) for line in card_lines(card, "report.md"))
    golden_text(lines_with("no time", printed))


def test_without_a_cause_the_lines_say_so_before_what_contributes():
    assert next(iter(diagnosis_lines([NOTE], [], []))) == ("cause", "none found")
    assert ("cause", "none found") not in list(diagnosis_lines([LEAK, NOTE], [], []))


def test_the_loss_taken_apart_shows_each_share_of_the_fall_with_its_interval(golden_text):
    shown = loss_parts(example.scorecard().loss)
    assert next(row for row in shown.rows if row[0] == "newline")[-1] == "13.4 % [12.1, 14.7]"
    assert shown.rows[-1][-1] == "100 %"
    untrained = replace(example.scorecard().loss, whole=replace(example.scorecard().loss.whole, before_nats=None))
    golden_text(shown.header)
    assert "Share of the drop" not in loss_parts(untrained).header


def test_a_logged_loss_that_no_convention_gives_is_said_to_be_given_by_none(golden_text):
    loss = example.scorecard().loss
    golden_text(conventions(loss))
    golden_text(conventions(replace(loss, reproduced_by=())))
    assert conventions(replace(loss, logged_nats=None)) == ""


def test_bits_per_byte_stand_beside_nats_per_token_if_they_are_known():
    loss = example.scorecard().loss
    assert [row[3] for row in losses_table(loss).rows] == ["–", nats(0.0052), nats(1.8411)]
    unknown = replace(loss, honest_bits_per_byte=None, recomputed_bits_per_byte=None)
    assert [row[3] for row in losses_table(unknown).rows] == ["–"] * 3


def test_a_passage_shows_every_character_of_its_text_twice_and_within_its_columns():
    reads = [Read("def f(x):\n", None, None), Read("y" * 150, 0.0, 7.0), Read("<&>\n\n", 1.0, 2.0)]
    svg = ET.fromstring(passage_figure(reads))
    texts = [t for t in svg.iter("{http://www.w3.org/2000/svg}text") if t.get("textLength")]
    shown = "".join(t.text for t in texts)
    assert shown.count("y") == 300
    assert shown.count("<&>") == 2
    assert shown.count("¶") == 6
    assert max(len(t.text) for t in texts) <= COLUMNS


def test_the_colour_deepens_with_the_loss_and_ends_at_the_deepest():
    assert colour(0.0) == "#ffffff"
    assert colour(6.0) == colour(60.0) == "#d55e00"
    assert int(colour(1.0)[3:5], 16) > int(colour(4.0)[3:5], 16)


@pytest.mark.parametrize("name", ["<script>", "a & b", "x" * 30])
def test_a_class_of_any_name_can_be_drawn(name):
    part = replace(example.part("name", 10, 0.1, 1.0, 2.0, 0.5), name=name)
    ET.fromstring(loss_by_class_figure([part]))
