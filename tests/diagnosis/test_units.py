import math
from dataclasses import replace
from functools import cache

import pytest
from plants_losses import STEPS, few_rows, loss_of, trained
from small_training import subject

from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.loss_mismatch import loss_mismatch
from evalharness.records import Finding, LossPoint

ROWS, ROWS_OF_A_BATCH = 40, 16
BATCHES = math.ceil(ROWS / ROWS_OF_A_BATCH)


def of_log(validation, train=None):
    """The trained model with a log of two validation losses, the first one higher, and one training loss."""
    points = [LossPoint(1, "validation", 3 * validation, "log"), LossPoint(STEPS, "validation", validation, "log")]
    points += [] if train is None else [LossPoint(STEPS, "train", train, "log")]
    return measured_of(subject(trained("plain"), log=tuple(points), logged=points[1], **few_rows(ROWS)))


@cache
def measured_once():
    """The plain conventions of rows alone: for this model, a smoothing of 0.05 happens to give the loss in bits."""
    point = LossPoint(STEPS, "validation", 40.0, "log")
    measured = Measured(subject(trained("plain"), log=(point,), logged=point, **few_rows(ROWS)))
    alone = tuple(item for item in measured.conventions if item.layout.is_rows_alone and item.convention.is_plain)
    return {"conventions": alone, "passes": measured.passes}


def measured_of(of_this_log):
    """The same model with another log: its losses are not measured again."""
    measured = Measured(of_this_log)
    vars(measured).update(measured_once())
    return measured


def true_losses():
    """Validation and training loss (nats) as they should be logged."""
    return loss_of(trained("plain"), rows=ROWS), loss_of(trained("plain"), rows=ROWS, seed=1)


UNITS = {
    "bits": lambda nats: nats / math.log(2),
    "base_10": lambda nats: nats / math.log(10),
    "perplexity": math.exp,
}


@pytest.mark.parametrize("unit", UNITS)
def test_a_log_in_another_unit_is_said_to_be_in_that_unit(unit):
    validation, train = true_losses()
    found = loss_mismatch(of_log(UNITS[unit](validation), UNITS[unit](train)))
    assert isinstance(found, Finding)
    assert (found.severity, found.evidence["unit"]) == ("contributing", unit)
    assert found.evidence["factor"] == pytest.approx(UNITS[unit](validation) / validation, rel=0.02)
    assert found.evidence["logged_in_nats"] == pytest.approx(validation)
    assert found.evidence["chance_of_a_unit"] < 0.25


def test_validation_batches_that_are_added_up_show_if_the_training_loss_is_the_true_one():
    validation, train = true_losses()
    found = loss_mismatch(of_log(BATCHES * validation, train))
    assert isinstance(found, Finding)
    assert (found.evidence["unit"], found.evidence["train_in_unit"]) == ("times", False)
    assert found.evidence["factor"] == pytest.approx(BATCHES, rel=0.02)


@pytest.mark.parametrize("train_factor", [None, 2.2])
def test_no_unit_is_named_without_a_training_loss_that_agrees(train_factor):
    validation, train = true_losses()
    found = loss_mismatch(of_log(validation / math.log(2), train_factor and train_factor * train))
    assert isinstance(found, Finding)
    assert "unit" not in found.evidence


def test_no_unit_is_named_if_another_step_has_this_loss_in_nats():
    validation, train = true_losses()
    measured = of_log(validation / math.log(2), train / math.log(2))
    later = LossPoint(2 * STEPS, "validation", validation, "log")
    found = loss_mismatch(measured_of(replace(measured.subject, log=(*measured.subject.log, later))))
    assert isinstance(found, Finding)
    assert "unit" not in found.evidence


def test_a_unit_is_named_if_another_step_has_this_loss_by_chance_and_was_trained_otherwise():
    validation, train = true_losses()
    measured = of_log(validation / 4, train)
    points = (LossPoint(1, "validation", validation, "log"), LossPoint(1, "train", 5 * train, "log"))
    found = loss_mismatch(measured_of(replace(measured.subject, log=(*points, *measured.subject.log[1:]))))
    assert isinstance(found, Finding)
    assert (found.evidence["unit"], found.evidence["train_in_unit"]) == ("divided", False)
