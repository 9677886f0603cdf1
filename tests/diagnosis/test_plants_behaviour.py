import copy

import pytest
from behaving import observing
from plants_behaviour import PLANTS, healthy, sound, trained, up_to_the_boundary, with_head
from small_training import FAMILIES, data_rows, encoded, subject

from evalharness.diagnosis.catalogue import CATALOGUE
from evalharness.diagnosis.examination import examine
from evalharness.records import RuledOut

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plants of behaviour")]

OURS = ("no_end_token", "prompt_format", "token_boundary", "contamination", "context", "self_reinforcement")
CAUSAL = RuledOut("future_leak", "The attention is causal.", {})


def examined(subject):
    return examine(subject, [probe for probe in CATALOGUE if probe.name in OURS], known=[CAUSAL])


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())
def test_the_planted_fault_is_found_and_is_the_only_one(plant):
    found = examined(plant.make())
    assert [(finding.probe, finding.severity) for finding in found.findings] == [(plant.probe, "contributing")]
    assert not found.incomplete


@pytest.mark.parametrize("family", FAMILIES)
def test_the_healthy_model_is_cleared_by_all(family):
    found = examined(healthy(family))
    assert [outcome.probe for outcome in found.ruled_out] == list(OURS)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_model_scored_as_it_was_trained_is_cleared_of_the_prompt_format(family):
    assert "prompt_format" in [outcome.probe for outcome in examined(with_head(family)).ruled_out]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tokenizer_that_merges_is_only_a_note_where_the_model_was_trained_as_it_is_scored(family):
    (finding,) = examined(up_to_the_boundary(family)).findings
    assert (finding.probe, finding.severity) == ("token_boundary", "note")


@pytest.mark.parametrize("steps", [0, 10, 30])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_that_is_barely_trained_is_blamed_for_nothing(family, steps):
    module = trained(family, encoded(data_rows(200, 1), end=True), steps=steps)
    found = examined(observing(subject(module, end=True)))
    assert not found.findings
    assert not found.incomplete


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_is_blamed_for_nothing(family):
    found = examined(observing(subject(copy.deepcopy(sound(family)).bfloat16(), end=True)))
    assert not found.findings
    assert not found.incomplete
