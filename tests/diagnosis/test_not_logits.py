from dataclasses import replace

import pytest
import torch
from plants_model import of, squashed
from small_sound import sound

from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.not_logits import not_logits
from evalharness.records import Finding, NotTestable, RuledOut


def asked(subject):
    return not_logits(Measured(subject))


@pytest.mark.parametrize("family", ["plain", "llama"])
def test_probabilities_are_found_and_read_as_such_give_the_loss_that_the_model_has(family):
    found = asked(squashed(family))
    assert isinstance(found, Finding)
    assert found.severity == "cause"
    assert found.evidence["as_probabilities_nats"] < found.evidence["floor_nats"] <= found.evidence["as_logits_nats"]


def test_a_sigmoid_is_found_though_its_outputs_do_not_sum_to_one():
    found = asked(squashed("plain", squash=torch.sigmoid))
    assert isinstance(found, Finding)
    assert "as_probabilities_nats" not in found.evidence


@pytest.mark.parametrize("squash", [lambda x: x.log_softmax(-1), lambda x: x / 1000, lambda x: x + 7.0])
def test_logits_of_any_size_and_log_probabilities_are_logits(squash):
    assert isinstance(asked(squashed("plain", squash=squash)), RuledOut)


def test_a_sound_model_is_cleared():
    assert isinstance(asked(of(sound("plain"))), RuledOut)


def test_without_rows_and_problems_nothing_is_cleared():
    assert isinstance(asked(replace(of(sound("plain")), train=None, validation=None)), NotTestable)
