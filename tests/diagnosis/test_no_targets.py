from dataclasses import replace

import pytest
import torch
from leak_models import Decoder, causal
from plants_losses import nothing_counted
from scripted import scripted, split, subject
from small_training import data_rows

import evalharness
from evalharness.diagnosis.data.rows import TokenRow
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.no_targets import no_targets
from evalharness.records import Finding, LossPoint, RuledOut


def log(*losses, of="train"):
    return tuple(LossPoint(step, of, loss, "log") for step, loss in enumerate(losses))


def asked(*losses, **more):
    made = subject(scripted(context_length=None), train=split(), validation=split(data_rows(20, 2)), **more)
    return no_targets(Measured(replace(made, log=log(*losses))))


def test_a_log_of_zeros_over_a_model_that_has_a_loss_is_a_cause():
    found = asked(0.0, 0.0, 0.0)
    assert isinstance(found, Finding)
    assert (found.severity, found.evidence["splits_of_zero"]) == ("cause", "train")
    assert found.evidence["own_nats"] > 1


@pytest.mark.parametrize("losses", [(2.0, 1.0, 0.5), (2.0, 0.1, 0.0, 0.0), (0.0,), (0.0, 1e-7)])
def test_a_loss_that_falls_to_zero_and_a_single_zero_are_none(losses):
    assert isinstance(asked(*losses), RuledOut)


@pytest.mark.parametrize(("zero", "other"), [("validation", "train"), ("train", "validation")])
def test_a_loss_of_zero_beside_one_that_falls_is_no_lack_of_targets_in_training(zero, other):
    made = subject(scripted(context_length=None), train=split(), validation=split(data_rows(20, 2)))
    found = no_targets(Measured(replace(made, log=log(0.0, 0.0, of=zero) + log(3.0, 1.0, of=other))))
    assert (found.severity, found.evidence["other_last_nats"]) == ("contributing", 1.0)
    level = no_targets(Measured(replace(made, log=log(0.0, 0.0, of=zero) + log(3.0, 3.0, of=other))))
    assert level.severity == "cause"


@pytest.mark.parametrize("family", ["plain", "llama"])
def test_the_planted_fault_is_a_cause(family):
    assert no_targets(Measured(nothing_counted(family))).severity == "cause"


def test_rows_whose_completion_the_context_cuts_away_are_counted():
    cut = replace(split(), encoded=tuple(TokenRow((1, 2, 3), 1, 3, i, 50) for i in range(10)))
    made = subject(scripted(context_length=3), train=cut, log=log(2.0, 1.0))
    found = no_targets(Measured(made))
    assert (found.severity, found.evidence["rows_without_completion"]) == ("contributing", 10)


def outcome(targets):
    inputs = torch.randint(2, 30, (4, 20), generator=torch.Generator().manual_seed(0))
    labels = torch.where(targets[:, None], inputs, -100)
    found = evalharness.preflight(Decoder(causal), {"input_ids": inputs, "labels": labels}, check=False)
    return next(o for o in (*found.findings, *found.ruled_out, *found.not_testable) if o.probe == "no_targets")


@pytest.mark.parametrize(
    ("rows_with_targets", "severity"), [([0, 0, 0, 0], "cause"), ([1, 0, 0, 1], "contributing"), ([1, 1, 1, 0], None)]
)
def test_a_batch_is_stopped_if_no_label_counts_and_rows_without_one_are_counted(rows_with_targets, severity):
    found = outcome(torch.tensor(rows_with_targets, dtype=torch.bool))
    assert getattr(found, "severity", None) == severity
    assert found.evidence["rows"] == 4
