"""Every planted fault of the model is what the examination names first, and no other cause beside it."""

import pytest
from plants_model import PLANTS
from test_sound_models import MODEL_PROBES

from evalharness.diagnosis.catalogue import CATALOGUE
from evalharness.diagnosis.examination import examine


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())
def test_a_planted_fault_is_named_first_and_nothing_else_is_a_cause(plant):
    order, allowed = ["note", "contributing", "cause"], {probe.name: probe.at_most for probe in CATALOGUE}
    found = examine(plant.make(), [probe for probe in CATALOGUE if probe.name in MODEL_PROBES])
    assert found.findings[0].probe == plant.probe
    assert found.findings[0].severity == "cause"
    assert {finding.probe for finding in found.causes} == {plant.probe}
    assert all(order.index(f.severity) <= order.index(allowed[f.probe]) for f in found.findings)
    assert all(finding.claim and finding.remedy and finding.evidence for finding in found.findings)


def test_each_probe_has_a_fault_in_two_families():
    for probe in set(MODEL_PROBES) - {"last_position"}:
        assert {plant.family for plant in PLANTS.values() if plant.probe == probe} == {"plain", "llama"}
