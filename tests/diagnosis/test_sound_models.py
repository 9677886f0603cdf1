"""No probe of the model itself names a cause in a model that is sound, however unusual it is."""

import copy

import pytest
import torch
from sound_models import UNTRAINED

from evalharness.diagnosis.catalogue import catalogue
from evalharness.diagnosis.examination import examine
from evalharness.diagnosis.measured import Measured

MODEL_PROBES = [
    "future_leak", "last_position", "adapter", "stochastic_forward", "batch_invariance", "cache_mismatch",
    "vocabulary", "not_finite",
]  # fmt: skip


@pytest.mark.parametrize("make", UNTRAINED.values(), ids=UNTRAINED.keys())
def test_no_probe_names_a_cause_in_a_sound_model(make):
    made = make()
    before = copy.deepcopy(made.model.module.state_dict())
    found = examine(Measured(made), [probe for probe in catalogue() if probe.name in MODEL_PROBES])
    assert found.causes == ()
    assert [finding for finding in found.findings if finding.severity == "contributing"] == []
    assert found.incomplete == ()
    assert "future_leak" in {cleared.probe for cleared in found.ruled_out}
    after = made.model.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before), "a probe changed the model"
