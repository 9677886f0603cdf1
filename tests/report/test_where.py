import pytest
import report_example as example

from evalharness.records import Finding
from evalharness.report import card_lines, checkpoint_document, diagnosis_lines, to_html, to_markdown
from evalharness.report.certainty import CONSISTENT, PROVEN, SHOWN, certainty
from evalharness.report.parts import plain_text
from evalharness.report.where import where

LEAK_PLACE = {"module": "blocks.0.mix", "class_name": "Mix", "mixing": "attention", "operation": "softmax"}
THETA = {"place": "config.json, `rope_theta`", "settings": {"rope_parameters.rope_theta": 500000.0}}
PRESENT = {"file": "config.json", "present": {"rope_parameters.rope_theta": 10000.0}}


def finding(evidence, severity="cause", package=None):
    return Finding("repaired", severity, "It is so.", evidence, "Change it.", package)


@pytest.mark.parametrize(
    ("evidence", "place"),
    [
        ({}, ""),
        ({"place": {**LEAK_PLACE, "source": "model.py:41"}}, "blocks.0.mix (Mix), softmax, model.py:41"),
        ({"place": {**LEAK_PLACE, "module": "", "operation": None, "source": None}}, "forward (Mix)"),
        ({"place": {"module": "mix"}, "mode": "training"}, "mix, in training mode"),
        (THETA | PRESENT, "config.json, rope_theta = 10000 (in training: rope_theta = 500000)"),
        (THETA, "config.json, rope_theta"),
        ({"place": "a.scale", "present": {"a.scale": 0.125}, "settings": {}}, "a.scale = 0.125"),
        ({"modules": ["a", "b"]}, "a, b"),
        ({"modules": list("abcde")}, "a, b, c and 2 more"),
    ],
)
def test_the_place_of_a_finding_is_read_off_its_fields(evidence, place):
    assert plain_text(where(finding(evidence))) == place


def test_keys_that_stay_as_they_are_are_no_place():
    evidence = {"present": {"type": "linear", "factor": 2.0}, "settings": {"type": "linear", "factor": 4.0}}
    assert plain_text(where(finding(evidence))) == "factor = 2 (in training: factor = 4)"


def test_how_sure_a_finding_is_depends_on_whether_undoing_it_was_tried():
    assert [certainty(finding({"proven": proven})) for proven in (True, False)] == [PROVEN, CONSISTENT]
    assert certainty(finding({})) == SHOWN
    assert "theirs" in certainty(finding({"proven": True}, package="theirs"))


def test_card_page_report_and_terminal_say_where_and_how_sure():
    found = finding(THETA | PRESENT | {"proven": True})
    card = example.scorecard(findings=(found,))
    document = checkpoint_document(card, example.evidence(), {})
    shown = " ".join("".join(text for _, text in line) for line in card_lines(card, "report.md"))
    assert "rope_theta = 10000" in shown
    assert "proven by repair" in shown
    assert "<code>rope_theta = 10000</code>" in to_html(document)
    assert "`rope_theta = 10000`" in to_markdown(document)
    labels = dict(diagnosis_lines([found], [], []))
    assert "rope_theta = 10000" in labels["where"]
    assert labels["how sure"] == PROVEN


def test_of_a_note_it_is_not_said_how_sure_it_is():
    assert "how sure" not in dict(diagnosis_lines([finding({}, "note")], [], []))
