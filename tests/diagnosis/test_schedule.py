"""Where a scheduler ended before training did, the finding that the model knows little says so."""

import json

import pytest
import torch
from plants_losses import few_rows
from small_training import FAMILIES, subject

from evalharness.diagnosis.losses.schedule import schedule
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.undertrained import undertrained
from evalharness.pipeline.learning_rates import learning_rates
from evalharness.records import Finding, LearningRate, LossPoint


def rates(*values):
    return tuple(LearningRate(10 * i, rate) for i, rate in enumerate(values, 1))


@pytest.mark.parametrize(
    ("values", "peak", "zero_from"),
    [
        ((1e-4, 4e-4, 2e-4, 0.0), 4e-4, None),
        ((1e-4, 4e-4, 0.0, 0.0, 0.0), 4e-4, 30),
        ((0.0, 4e-4, 0.0, 4e-4), 4e-4, None),
        ((0.0, 0.0), 0.0, 10),
    ],
)
def test_a_schedule_is_read_off_its_rates(values, peak, zero_from):
    found = schedule(rates(*values))
    assert (found.peak.rate, found.zero_from) == (peak, zero_from)
    assert (found.first.rate, found.last.rate) == (values[0], values[-1])
    assert schedule(()) is None


def test_a_model_that_knows_little_is_told_with_the_rates_that_it_was_trained_with():
    module = FAMILIES["plain"]().eval().requires_grad_(requires_grad=False)
    found = undertrained(Measured(subject(module, learning_rates=rates(4e-4, 0.0, 0.0), **few_rows(40))))
    assert isinstance(found, Finding)
    assert (found.evidence["rate_peak"], found.evidence["rate_zero_from_step"]) == (4e-4, 20)
    without = undertrained(Measured(subject(module, **few_rows(40))))
    assert "rate_peak" not in without.evidence
    assert without.remedy != found.remedy


@pytest.mark.parametrize(("earlier_nats", "untrained"), [((), True), ((0.5,), False)])
def test_weights_as_they_were_drawn_are_told_from_those_of_a_run_that_fell_apart(earlier_nats, untrained):
    torch.manual_seed(0)
    module = FAMILIES["plain"]().eval().requires_grad_(requires_grad=False)
    module.head.weight.mul_(0.01)
    log = tuple(LossPoint(step, "train", nats, "log") for step, nats in enumerate(earlier_nats))
    found = undertrained(Measured(subject(module, log=log, **few_rows(40))))
    assert isinstance(found, Finding)
    assert ("untrained" in found.evidence) == untrained
    assert found.evidence["at_random_nats"] == pytest.approx(found.evidence["model_nats"], abs=0.3)


def test_rates_are_read_from_the_state_of_the_trainer(tmp_path):
    assert learning_rates(tmp_path) == ()
    history = [{"step": 20, "learning_rate": 0.0, "loss": 1.0}, {"step": 10, "learning_rate": 1e-3}, {"eval_loss": 2.0}]
    state = tmp_path / "trainer_state.json"
    state.write_text(json.dumps({"log_history": history}), encoding="utf-8")
    assert learning_rates(tmp_path) == (LearningRate(10, 1e-3), LearningRate(20, 0.0))
    for odd in ("[]", "{", '{"log_history": [3]}', '{"log_history": [{"step": 1, "learning_rate": "high"}]}'):
        state.write_text(odd, encoding="utf-8")
        assert learning_rates(tmp_path) == ()
