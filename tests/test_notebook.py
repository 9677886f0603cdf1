"""What a notebook shows: well-formed HTML with the figures, in which no text of a model becomes markup."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from shipped_records import example_card, shipped_records

import evalharness
from evalharness.diagnosis import Diagnosis
from evalharness.records import Finding, Incomplete, NotTestable

HOSTILE = "<script>alert(1)</script>"
LACK = Incomplete("diagnosis", "context", "it tripped")


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


def test_a_diagnosis_shows_its_findings_with_what_to_do_and_folds_the_rest_by_why():
    card = example_card("leaky")
    (first, *others) = card.findings
    untested = (NotTestable("context", "no_data", "`rows`"), NotTestable("adapter", "no_adapter", "no adapter"))
    shown = seen(Diagnosis((replace(first, claim=f"{HOSTILE} `key`"), *others), card.ruled_out, untested, (LACK,)))
    assert HOSTILE in shown.text
    assert "script" not in shown.tags
    assert all(words in shown.text for words in (first.remedy, "missing input: 1", "not applicable: 1", LACK.reason))
    assert "`" not in shown.text
    assert shown.tags.count("details") == 3


def test_a_diagnosis_is_printed_as_a_terminal_shows_it():
    finding = Finding("repaired", "cause", "with `rope_theta` = 5", {"proven": True}, "Set `rope_theta`.")
    late = NotTestable("context", "no_time", "no time was left")
    printed = str(Diagnosis((finding,), (), (late,), (LACK,))).splitlines()
    assert [line.partition(":")[0] for line in printed] == ["cause", "how sure", "What to do", "no time", "incomplete"]
    assert not any("`" in line for line in printed)


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
