from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
import report_example as example
from golden_text import lines_with

from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.report import Read, card_lines, diagnosis_lines, loss_by_class_figure, passage_figure
from evalharness.report.cause_summary import no_cause
from evalharness.report.figures.passage_plot import COLUMNS, colour
from evalharness.report.numbers import nats
from evalharness.report.parts import Code, Strong
from evalharness.report.sections.cause_section import hypotheses
from evalharness.report.sections.loss_tables import conventions, loss_parts, losses_table

LEAK = Finding("future_leak", "cause", "It leaks.", {}, "Mask it.")
NOTE = Finding("prompt_in_loss", "note", "The prompt counts.", {}, "Say so.")


def test_every_hypothesis_stands_in_the_order_of_the_catalogue_with_its_result():
    questions = {"future_leak": "Leaky?", "adapter": "Adapted?", "not_finite": "Finite?"}
    found = hypotheses(
        [LEAK],
        [RuledOut("not_finite", "All are.", {})],
        [NotTestable("adapter", "no_adapter", "it is none")],
        questions,
    )
    assert [row[:3] for row in found.rows] == [
        ("Leaky?", Code("future_leak"), Strong("cause")),
        ("Adapted?", Code("adapter"), "not testable"),
        ("Finite?", Code("not_finite"), "ruled out"),
    ]


LATE = NotTestable("adapter", "no_time", "no time left (--within 5m)")


def test_what_there_was_no_time_for_is_not_tested_and_neither_ruled_out_nor_not_testable():
    assert list(diagnosis_lines([], [], [LATE]))[-1][0] == "not tested"
    cleared = (RuledOut("not_finite", "All are.", {}),)
    found = hypotheses([], cleared, [LATE], {"adapter": "Adapted?", "not_finite": "Finite?"})
    assert [row[2] for row in found.rows] == ["not tested", "ruled out"]


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
