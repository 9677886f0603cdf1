"""Every planted fault is what the examination names first, and nobody's fault is named in a sound model.

One plant of each probe here, half of them of each family, and the sound models that cost little;
``EVALHARNESS_FULL=1`` runs all, as ``benchmarks/matrix.py`` does.
"""

import os

import pytest
from plants import PLANTS, planted, what_is_missing
from small_training import FAMILIES
from sound_models import SOUND
from whole import whole

from evalharness.diagnosis.catalogue import catalogue
from evalharness.diagnosis.examination import examine
from evalharness.diagnosis.measured import Measured

FULL = bool(os.environ.get("EVALHARNESS_FULL"))
pytestmark = pytest.mark.xdist_group("matrix")

ALWAYS = ["transformers: XLNetLMHeadModel"]
LLAMA = {
    "future_leak", "prompt_in_loss", "adapter", "stochastic_forward", "cache_mismatch", "vocabulary",
    "contamination", "easy_tokens", "context", "undertrained",
}  # fmt: skip
SOUND_ALWAYS = [
    "of characters, without a cache", "with a cache, llama", "bfloat16", "an adapter, plain", "overfit, plain",
    "a padded vocabulary", "untrained, its projections zero", "untrained, one that prefers a token",
]  # fmt: skip
SEVERITIES = ["note", "contributing", "cause"]


def chosen():
    if FULL:
        return list(PLANTS)
    names = list(ALWAYS)
    for probe in catalogue():
        family = "llama" if probe.name in LLAMA else "plain"
        names += planted(probe.name, family)[:1]
    return names


@pytest.mark.parametrize("name", chosen())
def test_a_planted_fault_is_named_first_and_nothing_else_is_a_cause(name):
    plant = PLANTS[name]
    first = [plant.behind, plant.probe] if plant.behind else [plant.probe]
    found = examine(Measured(whole(plant.make()) if FULL else plant.make()), catalogue())
    assert [finding.probe for finding in found.findings[: len(first)]] == first
    assert {finding.probe for finding in found.causes} <= set(first)
    severities = {finding.probe: finding.severity for finding in reversed(found.findings)}
    allowed = {probe.name: probe.at_most for probe in catalogue()}
    assert severities[plant.probe] == allowed[plant.probe]
    assert all(
        SEVERITIES.index(finding.severity) <= SEVERITIES.index(allowed[finding.probe]) for finding in found.findings
    )
    assert all(f.claim and f.evidence and (f.remedy or f.severity == "note") for f in found.findings)


@pytest.mark.parametrize("name", list(SOUND) if FULL else SOUND_ALWAYS)
def test_nothing_is_a_cause_in_a_sound_model(name):
    found = examine(Measured(whole(SOUND[name]())), catalogue())
    assert found.causes == ()
    assert found.incomplete == ()
    assert "future_leak" in {cleared.probe for cleared in found.ruled_out}


@pytest.mark.parametrize("probe", [probe.name for probe in catalogue()])
def test_each_probe_has_a_fault_in_two_families(probe):
    assert what_is_missing(probe, FAMILIES) == ""


def test_a_probe_that_is_forgotten_here_is_named_with_what_to_add():
    missing = what_is_missing("a_new_probe", FAMILIES)
    assert all(word in missing for word in ("a_new_probe", *FAMILIES, "tests/diagnosis/plants_*.py"))


def test_no_manifest_declares_a_fault_and_some_lie():
    lies = {plant.probe for plant in PLANTS.values() if plant.lie}
    assert lies == {"smoothing_floor", "padding_in_loss", "prompt_in_loss"}
