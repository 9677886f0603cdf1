"""What a notebook shows: well-formed HTML with the figures, in which no text of a model becomes markup."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from shipped_records import example_card, shipped_records

import evalharness
from evalharness.diagnosis import Diagnosis

HOSTILE = "<script>alert(1)</script>"


class Seen(HTMLParser):
    """The tags that open, and the text between them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.unclosed = [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in {"br", "hr", "img"}:
            self.unclosed.append(tag)

    def handle_endtag(self, tag):
        assert self.unclosed.pop() == tag

    def handle_data(self, data):
        self.text += data


def seen(shown):
    found = Seen(shown._repr_html_())
    assert found.unclosed == []
    return found


def test_a_scorecard_is_its_card():
    card = example_card("leaky")
    assert "COLLAPSED" in seen(card).text
    hostile = replace(card, checkpoint=replace(card.checkpoint, path=HOSTILE, model=HOSTILE))
    assert HOSTILE in seen(hostile).text
    assert "script" not in seen(hostile).tags


def test_a_diagnosis_shows_its_findings_and_folds_what_was_ruled_out():
    card = example_card("leaky")
    (first, *others) = card.findings
    shown = seen(Diagnosis((replace(first, claim=HOSTILE), *others), card.ruled_out, card.not_testable))
    assert HOSTILE in shown.text
    assert "script" not in shown.tags
    assert shown.tags.count("li") == len(card.findings) + len(card.ruled_out) + len(card.not_testable)


def test_a_run_shows_a_row_for_each_step():
    run = evalharness.load_run(shipped_records() / "causal")
    assert seen(run).tags.count("tr") == 1 + len(run.checkpoints)


def test_a_comparison_is_shown_with_its_tables():
    compared = evalharness.compare(shipped_records() / "leaky", shipped_records() / "causal")
    found = seen(compared)
    assert "table" in found.tags
    assert "warmup, greedy" in found.text


@pytest.mark.parametrize("settings", [{"sampels": 2}])
def test_a_wrong_setting_of_a_comparison_is_said(settings):
    with pytest.raises(evalharness.EvalHarnessError, match="sampels"):
        evalharness.compare("a", "b", **settings)
