"""Training that made a model worse: told from overfitting, from a model loaded wrongly, and from one that learned."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from plants_losses import healthy, rate_too_high, trained
from small_training import subject, train, wrapped

from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.diverged import diverged
from evalharness.records import Finding, LearningRate, LossPoint, NotTestable, RuledOut


def outcome(subject):
    return diverged(Measured(subject))


def log(**losses_by_split):
    return tuple(
        LossPoint(step, split, loss, "log")
        for split, losses in losses_by_split.items()
        for step, loss in enumerate(losses)
    )


def test_a_rate_that_undoes_the_model_is_named_with_the_rate_and_the_losses_before_and_after():
    rates = (LearningRate(1, 0.01), LearningRate(20, 0.3), LearningRate(30, 0.03))
    found = outcome(replace(rate_too_high("plain"), learning_rates=rates))
    assert isinstance(found, Finding)
    assert found.severity == "contributing"
    assert found.evidence["peak_rate"] == 0.3
    assert found.evidence["train_risen_low_nats"] > 0.1
    assert found.evidence["validation_before_nats"] < found.evidence["validation_after_nats"]


def test_overfitting_raises_the_validation_loss_alone_and_is_no_divergence():
    module = copy.deepcopy(trained("plain")).requires_grad_(requires_grad=True)
    few = subject(module, count_prompt=False).train
    known = replace(few, rows=few.rows[:8], encoded=few.encoded[:8])
    train(module, known.encoded, steps=60, rate=1e-2)
    found = outcome(subject(module, count_prompt=False, train=known, base=wrapped(trained("plain"))))
    assert isinstance(found, RuledOut)
    assert found.evidence["validation_risen_low_nats"] > 0.1
    assert found.evidence["train_risen_high_nats"] < 0


def test_a_model_that_learned_is_no_worse_than_before():
    found = outcome(replace(healthy("plain"), base=wrapped(trained("plain", steps=12))))
    assert isinstance(found, RuledOut)
    assert found.evidence["validation_risen_high_nats"] < 0


def test_a_model_that_does_not_give_its_logged_loss_may_be_loaded_wrongly():
    ruined = rate_too_high("plain")
    low = replace(ruined.logged, loss_nats=0.3)
    found = outcome(replace(ruined, logged=low, log=(low,)))
    assert isinstance(found, NotTestable)
    assert found.kind == "undecided"


def test_without_the_model_before_the_log_tells_if_both_losses_rose():
    points = log(validation=[2.0, 1.0, 1.2, 3.0], train=[2.0, 1.0, 1.1, 2.8])
    found = outcome(replace(healthy("plain"), log=points, logged=None))
    assert isinstance(found, Finding)
    assert (found.evidence["lowest_logged_step"], found.evidence["last_logged_step"]) == (1, 3)


@pytest.mark.parametrize(
    "points",
    [
        log(validation=[2.0, 1.0, 1.2, 3.0], train=[2.0, 1.0, 0.8, 0.5]),
        log(validation=[2.0, 1.0, 1.05], train=[2.0, 1.0, 1.2]),
        log(validation=[2.0, 1.0, 1.2, 3.0]),
    ],
    ids=["training fell on", "within noise", "training not logged"],
)
def test_a_validation_loss_that_rises_alone_is_no_divergence(points):
    assert isinstance(outcome(replace(healthy("plain"), log=points, logged=None)), RuledOut)


def test_losses_after_this_step_are_another_checkpoints():
    points = log(validation=[2.0, 1.0, 3.0], train=[2.0, 1.0, 3.0])
    assert isinstance(outcome(replace(healthy("plain"), log=points, logged=points[1])), RuledOut)


def test_without_the_model_before_and_without_a_log_it_can_not_be_told():
    found = outcome(replace(healthy("plain"), log=(), logged=None))
    assert isinstance(found, NotTestable)
    assert found.kind == "no_base"
