"""In which order probes are asked, what is not asked any more, and in which order findings are told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_sound import of, sound

from evalharness.diagnosis.catalogue import catalogue
from evalharness.diagnosis.examination import examine
from evalharness.diagnosis.explaining import share_explained
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.progress.time_limit import TimeLimit
from evalharness.records import Finding, NotTestable, RuledOut


def finding(name, severity="cause", **evidence):
    return Finding(name, severity, f"{name} it is", evidence, "mend it")


def probe(name, outcome=None, *, order=10, forward_passes=1, capabilities=LOGITS, **more):
    outcome = outcome or RuledOut(name, "it is not", {})
    return Probe(
        name=name, question="?", run=lambda _: outcome, order=order, at_most="cause", forward_passes=forward_passes,
        capabilities=capabilities, **more,
    )  # fmt: skip


def examined(*probes, **how):
    asked = []
    found = examine(Measured(of(sound("plain"))), probes, progress=lambda p: asked.append(p.name), **how)
    return found, asked


def test_the_cheap_ones_are_asked_first_and_the_leak_before_all_that_run_the_model():
    made = (
        probe("dear", order=1, forward_passes=300), probe("cheap", order=2), probe("future_leak", forward_passes=200),
        probe("what is left", order=0, asked_last=True), probe("ids", forward_passes=0, ends_if_cause=True),
    )  # fmt: skip
    found, asked = examined(*made)
    assert asked == ["ids", "future_leak", "cheap", "dear", "what is left"]
    assert [cleared.probe for cleared in found.ruled_out] == [p.name for p in made]


def test_in_the_catalogue_the_leak_is_asked_first_and_what_is_left_last():
    order = []
    made = tuple(
        probe(p.name, order=p.order, forward_passes=p.forward_passes, asked_last=p.asked_last) for p in catalogue()
    )
    examine(Measured(of(sound("plain"))), made, progress=lambda p: order.append(p.name))
    assert (order[0], order[-1]) == ("future_leak", "self_reinforcement")


@pytest.mark.parametrize(("given", "kind"), [(True, "too_few"), (False, "no_data")])
def test_rows_that_were_given_without_a_target_are_not_called_unknown(given, kind):
    subject = of(sound("plain"))
    without = replace(subject.validation, encoded=()) if given else None
    made = examine(Measured(replace(subject, validation=without)), [probe("of the rows", needs=("validation",))])
    (untested,) = made.not_testable
    assert untested.kind == kind
    assert (subject.validation.source in untested.reason) == given


EXPLAINING = probe("broken", finding("broken"), explains_all=True)
OTHERS = (probe("dear", order=20, forward_passes=300), probe("of the data", order=30, capabilities=frozenset()))


def test_a_cause_that_explains_everything_ends_what_runs_the_model():
    found, _ = examined(EXPLAINING, *OTHERS, every=False)
    assert [(o.probe, o.kind) for o in found.not_testable] == [("dear", "explained")]
    assert [o.probe for o in found.ruled_out] == ["of the data"]


def test_everything_is_asked_all_the_same_if_that_is_wanted():
    found, _ = examined(EXPLAINING, *OTHERS, every=True)
    assert found.not_testable == ()
    assert len(found.ruled_out) == 2


@pytest.mark.parametrize(
    "first",
    [
        finding("broken", "contributing"),
        RuledOut("broken", "it is not", {}),
        finding("future_leak", mode="training"),
    ],
)
def test_what_explains_a_part_ends_nothing(first):
    found, _ = examined(probe(first.probe, first, explains_all=True), *OTHERS, every=False)
    assert not any(isinstance(o, NotTestable) and o.kind == "explained" for o in found.not_testable)


def test_the_finding_that_explains_most_comes_first_and_a_note_never_before_an_explanation():
    some = finding("some", logged_nats=1.0, with_padding_nats=1.4, without_padding_nats=2.0)
    most = finding("most", logged_nats=1.0, repaired_nats=1.05, as_loaded_nats=2.0)
    note = finding("note", "note", degenerate_before=0.8, degenerate_after=0.0)
    unknown = finding("unknown")
    part = finding("part", "contributing", ways={"degenerate_before": 0.8, "degenerate_after": 0.2})
    found, _ = examined(*(probe(f.probe, f, order=i) for i, f in enumerate((note, unknown, part, some, most))))
    assert [f.probe for f in found.findings] == ["most", "some", "unknown", "part", "note"]


@pytest.mark.parametrize(
    ("evidence", "share"),
    [
        ({}, 0.0),
        ({"proven": True}, 1.0),
        ({"logged_nats": 1.0, "with_padding_nats": 1.0, "without_padding_nats": 1.001}, 0.0),
        ({"logged_nats": 1.0, "with_padding_nats": 3.0, "without_padding_nats": 2.0}, 0.0),
        ({"logged_nats": 1.0, "with_padding_nats": 1.25, "without_padding_nats": 2.0}, 0.75),
        ({"degenerate_before": 0.5, "degenerate_after": 0.1}, 0.8),
        ({"degenerate_before": 0.5, "degenerate_after": 0.1, "p_value": 0.2}, 0.0),
        ({"degenerate_before": 0.0, "degenerate_after": 0.0}, 0.0),
        ({"logged_nats": 1.0, "with_prompt_nats": 1.0, "without_prompt_nats": 2.0}, 0.0),
        ({"logged_nats": 1.0, "packed_nats": 1.0, "plain_nats": 1.1}, 1.0),
    ],
)
def test_what_a_finding_explains_is_read_off_its_figures(evidence, share):
    assert share_explained(finding("any", **evidence)) == pytest.approx(share)


def test_a_leak_explains_everything_unless_it_is_in_training_alone():
    assert share_explained(finding("future_leak")) == 1.0
    assert share_explained(finding("future_leak", mode="training")) == 0.0
    assert share_explained(finding("future_leak", unused=True)) == 0.0


def test_a_probe_that_is_not_reached_in_time_is_not_ruled_out():
    now = [0.0]

    def late(_):
        now[0] = 10.0
        measured.limit.check()
        return RuledOut("late", "it is not", {})

    measured = Measured(of(sound("plain")), limit=TimeLimit("1s", 1.0, 0.0, lambda: now[0]))
    first, over = probe("in time", forward_passes=0), probe("after", forward_passes=3)
    found = examine(measured, (first, replace(probe("late", forward_passes=2), run=late), over))
    assert [o.probe for o in found.ruled_out] == ["in time"]
    assert [(o.probe, o.kind) for o in found.not_testable] == [("late", "no_time"), ("after", "no_time")]
    assert found.incomplete == ()
