"""The search for a repair of a dear model ends: what has no time is not tested, and a plain choice starts no search."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plants_repairs import (
    another_rope,
    few,
    gates_exchanged,
    neighbours_paired,
    other_heads,
    rope_hidden_by_chance,
    spoiled_after_logging,
    text_losses,
)
from small_sound import of, sound

from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes import repaired as probe
from evalharness.diagnosis.probes.repaired import repaired
from evalharness.diagnosis.repair import every_repair, in_turns
from evalharness.diagnosis.trials import dear
from evalharness.diagnosis.trials.search_time import SearchTime
from evalharness.records import Finding, LossPoint, NotTestable, RuledOut

SPOILT = {
    "rope_theta": another_rope,
    "rope_layout": neighbours_paired,
    "head_count": other_heads,
    "gated_layers": gates_exchanged,
}


@pytest.fixture(autouse=True)
def every_model_is_dear(monkeypatch):
    """With time enough, however busy the machine is."""
    monkeypatch.setattr(dear, "PARAMETERS", 1)
    monkeypatch.setattr(probe, "SECONDS", 1e6)


@pytest.mark.parametrize("kind", SPOILT)
def test_of_a_dear_model_the_same_fault_is_proven(kind):
    found = repaired(Measured(spoiled_after_logging(sound("llama"), SPOILT[kind])))
    assert isinstance(found, Finding)
    assert found.evidence["kind"] == kind
    assert found.evidence["proven"]
    assert "left_out_for_time" not in found.evidence


def test_without_a_training_loss_a_count_that_fits_by_chance_hides_no_repair_of_a_dear_model():
    found = repaired(Measured(rope_hidden_by_chance()))
    assert isinstance(found, Finding)
    assert found.evidence["kind"] == "rope_theta"


def completions_logged(*training: float):
    """A sound model whose log is of completions alone, with training losses as shares of the validation loss."""
    subject = few(of(sound("llama")))
    _, completions = text_losses(sound("llama"))
    log = tuple(LossPoint(100, "train", share * completions, "log") for share in training)
    point = LossPoint(100, "validation", completions, "log")
    return replace(subject, log=(*log, point), logged=point)


def test_a_log_of_completions_starts_no_search_if_the_training_loss_is_of_completions_too():
    found = repaired(Measured(completions_logged(1.0)))
    assert isinstance(found, RuledOut)
    assert "repairs_tried" not in found.evidence


@pytest.mark.parametrize("training", [(), (3.0,)])
def test_a_log_of_completions_starts_a_search_if_no_training_loss_says_so(training):
    found = repaired(Measured(completions_logged(*training)))
    assert isinstance(found, RuledOut)
    assert found.evidence["repairs_tried"] > 0


def test_a_search_without_time_leaves_it_open_whether_a_repair_is_needed(monkeypatch):
    monkeypatch.setattr(probe, "SECONDS", 0.0)
    for subject in (completions_logged(), spoiled_after_logging(sound("llama"), another_rope)):
        found = repaired(Measured(subject))
        assert isinstance(found, NotTestable)
        assert found.kind == "no_time"


def test_what_no_time_is_left_for_is_counted_by_kind():
    seconds = iter([10.0, 11.0, 14.0, 16.0, 17.0])
    time = SearchTime(5.0, clock=lambda: next(seconds))
    time.begin()
    assert [time.is_over_for("rope_theta", share) for share in (0.5, 0.5)] == [False, True]
    assert [time.is_over_for(kind) for kind in ("rope_theta", "tied_head")] == [True, True]
    assert dict(time.left_out) == {"rope_theta": 2, "tied_head": 1}


def test_kinds_take_turns_and_each_keeps_its_order():
    repairs = list(every_repair(of(sound("llama"))))
    turns = in_turns(repairs)
    kinds = {repair.kind for repair in repairs}
    assert {repair.kind for repair in turns[: len(kinds)]} == kinds
    for kind in kinds:
        assert [r.words for r in turns if r.kind == kind] == [r.words for r in repairs if r.kind == kind]
