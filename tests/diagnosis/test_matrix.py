"""Every planted fault is what the examination names first, and nobody's fault is named in a sound model.

One plant of each probe here, half of them of each family, and the sound models that cost little;
``EVALHARNESS_FULL=1`` runs all, as ``benchmarks/matrix.py`` does.
"""

import os

import pytest
from plants import PLANTS
from small_training import FAMILIES
from sound_models import SOUND
from whole import whole

from evalharness.diagnosis.catalogue import CATALOGUE
from evalharness.diagnosis.examination import examine

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
    for probe in CATALOGUE:
        family = "llama" if probe.name in LLAMA else "plain"
        names.append(next(n for n, p in PLANTS.items() if (p.probe, p.family) == (probe.name, family)))
    return names


@pytest.mark.parametrize("name", chosen())
def test_a_planted_fault_is_named_first_and_nothing_else_is_a_cause(name):
    plant = PLANTS[name]
    first = [plant.behind, plant.probe] if plant.behind else [plant.probe]
    found = examine(whole(plant.make()) if FULL else plant.make(), CATALOGUE)
    assert [finding.probe for finding in found.findings[: len(first)]] == first
    assert {finding.probe for finding in found.causes} <= set(first)
    severities = {finding.probe: finding.severity for finding in reversed(found.findings)}
    allowed = {probe.name: probe.at_most for probe in CATALOGUE}
    assert severities[plant.probe] == allowed[plant.probe]
    assert all(
        SEVERITIES.index(finding.severity) <= SEVERITIES.index(allowed[finding.probe]) for finding in found.findings
    )
    assert all(finding.claim and finding.remedy and finding.evidence for finding in found.findings)


@pytest.mark.parametrize("name", list(SOUND) if FULL else SOUND_ALWAYS)
def test_nothing_is_a_cause_in_a_sound_model(name):
    found = examine(whole(SOUND[name]()), CATALOGUE)
    assert found.causes == ()
    assert found.incomplete == ()
    assert "future_leak" in {cleared.probe for cleared in found.ruled_out}


@pytest.mark.parametrize("probe", [probe.name for probe in CATALOGUE])
def test_each_probe_has_a_fault_in_two_families(probe):
    assert {plant.family for plant in PLANTS.values() if plant.probe == probe} >= set(FAMILIES)


def test_no_manifest_declares_a_fault_and_some_lie():
    lies = {plant.probe for plant in PLANTS.values() if plant.lie}
    assert lies == {"smoothing_floor", "padding_in_loss", "prompt_in_loss"}
