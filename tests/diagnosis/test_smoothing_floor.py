import math
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from plants_losses import STEPS, few_rows, loss_of, trained
from small_training import plain, subject
from torch.nn import functional

from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.smoothing_floor import floor_nats, smoothing_floor
from evalharness.diagnosis.subject import Declared
from evalharness.records import Finding, LossPoint, NotTestable, RuledOut


def test_the_floor_of_the_run_that_this_was_made_for():
    assert floor_nats(0.1, 8000) == pytest.approx(1.2237, abs=5e-5)


@given(st.floats(0.01, 0.5), st.integers(2, 300))
def test_no_prediction_has_a_lower_smoothed_loss_and_the_smoothed_target_has_just_that(strength, vocabulary):
    target = torch.full((1, vocabulary), strength / vocabulary, dtype=torch.float64)
    target[0, 0] += 1 - strength
    reached = functional.cross_entropy(target.log(), torch.tensor([0]), label_smoothing=strength)
    assert float(reached) == pytest.approx(floor_nats(strength, vocabulary), abs=1e-9)
    other = functional.cross_entropy(target.log() * 1.1, torch.tensor([0]), label_smoothing=strength)
    assert float(other) >= float(reached) - 1e-12


def test_without_smoothing_there_is_no_floor_and_impossible_strengths_are_refused():
    assert floor_nats(0.0, 100) == 0
    for strength, vocabulary in ((1.0, 100), (-0.1, 100), (0.1, 1)):
        with pytest.raises(ValueError, match="expected"):
            floor_nats(strength, vocabulary)


class OfSeed:
    """A model of 8,000 ids of which nothing but their number is asked."""

    vocabulary_rows = 8000
    capabilities = frozenset({"full_logits"})


def of_log(points, **more):
    from evalharness.diagnosis.subject import Subject

    return Subject(OfSeed(), None, log=tuple(points), **more)


# The real log ends so (training and validation, step 50,000).
END_OF_LOG = [
    LossPoint(500, "validation", 3.808124545438848, "log"),
    LossPoint(50000, "train", 1.2438739037513733, "log"),
    LossPoint(50000, "validation", 1.2538782214595272, "log"),
]


def test_a_log_near_the_floor_alone_is_a_note_where_smoothing_is_declared_and_else_proves_nothing():
    found = smoothing_floor(Measured(of_log(END_OF_LOG, declared=Declared(label_smoothing=0.1))))
    assert isinstance(found, Finding)
    assert found.severity == "note"
    assert found.evidence["above_floor_nats"] == pytest.approx(0.0302, abs=1e-4)
    assert isinstance(smoothing_floor(Measured(of_log(END_OF_LOG))), NotTestable)
    unsmoothed = of_log(END_OF_LOG, declared=Declared(label_smoothing=0.0))
    assert isinstance(smoothing_floor(Measured(unsmoothed)), NotTestable)


@pytest.mark.parametrize("loss", [0.2, 2.5, 6.0])
def test_a_log_far_from_every_floor_is_cleared(loss):
    log = [LossPoint(1, "validation", loss, "log")]
    assert isinstance(smoothing_floor(Measured(of_log(log, declared=Declared(label_smoothing=0.1)))), RuledOut)


def test_a_plain_loss_that_happens_to_be_of_the_size_of_a_floor_is_cleared_by_the_model():
    torch.manual_seed(0)
    log = (LossPoint(1, "validation", floor_nats(0.1, 98) + 0.02, "log"),)
    said = Declared(label_smoothing=0.1)
    module = plain().eval().requires_grad_(requires_grad=False)
    found = smoothing_floor(Measured(subject(module, log=log, declared=said)))
    assert isinstance(found, RuledOut)
    assert math.isfinite(found.evidence["smoothed_nats"])


def test_without_a_log_there_is_nothing_to_compare():
    assert isinstance(smoothing_floor(Measured(of_log([]))), NotTestable)


ROWS = 40


@cache
def smoothed_once():
    """All conventions of a model trained with smoothing, for a log that none of them reproduces."""
    point = LossPoint(STEPS, "validation", 40.0, "log")
    measured = Measured(subject(trained("plain", smoothing=0.1), log=(point,), logged=point, **few_rows(ROWS)))
    return {"conventions": measured.conventions, "passes": measured.passes}


def of_smoothed(*, train=True, smoothing=0.1, **more):
    """That model with the log of its last step; its losses are not measured again."""
    module = trained("plain", smoothing=0.1)
    log = [LossPoint(STEPS, "validation", loss_of(module, smoothing=smoothing, rows=ROWS), "log")]
    log += [LossPoint(STEPS, "train", loss_of(module, smoothing=0.1, rows=ROWS, seed=1), "log")] * train
    measured = Measured(subject(module, log=tuple(log), logged=log[0], **few_rows(ROWS), **more))
    vars(measured).update(smoothed_once())
    return measured


def test_a_logged_loss_with_smoothing_in_it_is_named_with_the_true_loss():
    found = smoothing_floor(of_smoothed())
    assert isinstance(found, Finding)
    assert (found.severity, found.evidence["label_smoothing"]) == ("contributing", 0.1)
    assert found.evidence["unsmoothed_nats"] == pytest.approx(
        loss_of(trained("plain", smoothing=0.1), rows=ROWS), rel=0.02
    )
    assert found.evidence["floor_nats"] == pytest.approx(floor_nats(0.1, 98))


@pytest.mark.parametrize(("declared", "severity"), [(None, "note"), (0.1, "contributing")])
def test_without_a_training_loss_only_the_manifest_makes_smoothing_in_the_log_more_than_a_note(declared, severity):
    found = smoothing_floor(of_smoothed(train=False, declared=Declared(label_smoothing=declared)))
    assert isinstance(found, Finding)
    assert found.severity == severity


def test_a_model_trained_with_smoothing_and_evaluated_without_is_cleared():
    assert isinstance(smoothing_floor(of_smoothed(smoothing=0.0)), RuledOut)
