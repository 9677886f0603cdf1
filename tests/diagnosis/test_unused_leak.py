"""A model that can see later tokens, and whose loss does not rest on that: other causes are asked for all the same."""

import pytest
import torch
from leak_models import full
from plants_repairs import few
from small_sound import of, sound, trained
from small_training import Plain, data_rows, encoded

from evalharness.diagnosis.catalogue import catalogue
from evalharness.diagnosis.examination import examine
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.future_leak import future_leak_of
from evalharness.records import NotTestable, leak_matters, leaks_when_evaluated

LITTLE = 1e-3


def leaking_a_little():
    """A sound model; a thousandth of the mean over all positions is added to each."""
    module = sound("plain")
    module.norm.register_forward_pre_hook(lambda _part, args: (args[0] + LITTLE * args[0].mean(dim=1, keepdim=True),))
    return module


def using_a_leak():
    torch.manual_seed(0)
    return trained(Plain(full), encoded(data_rows(200, 1), end=True), 60)


def without_its_mask():
    """A sound model that lost its mask after training: later tokens are seen, and harm."""
    module = sound("plain")
    for layer in module.layers:
        layer.mask = full
    return module


@pytest.mark.parametrize(
    ("make", "matters"), [(leaking_a_little, False), (using_a_leak, True), (without_its_mask, True)]
)
def test_a_leak_matters_if_the_loss_is_another_without_later_tokens(make, matters):
    found = future_leak_of(Measured(few(of(make()))))
    assert leaks_when_evaluated(found)
    assert found.severity == "cause"
    assert leak_matters(found) is matters
    assert found.evidence.get("unused", False) is not matters


def asked_beside(make):
    """The probes that a diagnosis does not ask because of the leak."""
    names = {"future_leak", "label_shift", "overfit", "undertrained", "diverged"}
    measured = Measured(few(of(make())))
    said = examine(measured, [probe for probe in catalogue() if probe.name in names], every=False)
    return {
        item.probe for item in said.not_testable if isinstance(item, NotTestable) and item.kind in ("leak", "explained")
    }


def test_what_a_leak_would_explain_is_asked_if_the_model_makes_no_use_of_it():
    assert asked_beside(leaking_a_little) == set()
    assert "undertrained" in asked_beside(using_a_leak)
