"""What the two shipped checkpoints have to show. Loaded through their manifests, as any user's are."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from documentation import README, blocks
from small_folder import ROOT

from evalharness import Scorecard
from evalharness.generation import GREEDY, Decoding, Prompting, Settings, generate, logit_noise, requests_for
from evalharness.models.torch import find_series, load_checkpoint
from evalharness.problems import load_problems
from evalharness.settings.manifest import find_manifest
from evalharness.training_log import read_log

NAMES = ("leaky", "causal")

pytestmark = pytest.mark.xdist_group("shipped pair")


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """How both are scored: on warmup, greedy and four samples, into a folder that all workers of a session share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return {"problems": "warmup", "out": shared / "reports of the pair", "trust": True, "workers": 2}


@pytest.fixture(scope="session")
def cards(evalharness_score: Callable[..., Scorecard], settings: dict[str, Any]) -> dict[str, Scorecard]:
    return {name: evalharness_score(ROOT / "checkpoints" / name, **settings) for name in NAMES}


def test_the_causal_one_passes_this_projects_own_checks(
    evalharness_check: Callable[..., None], settings: dict[str, Any]
) -> None:
    evalharness_check(ROOT / "checkpoints" / "causal", **settings)


@pytest.mark.parametrize("name", ["no_mode_collapse", "loss_is_honest"])
def test_the_leaky_one_fails_this_projects_own_checks(
    evalharness_check: Callable[..., None], settings: dict[str, Any], name: str
) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"{name} does not hold for checkpoints/leaky: "):
        evalharness_check(ROOT / "checkpoints" / "leaky", name, **settings)


def test_the_readmes_three_lines_catch_the_leaky_one_in_an_empty_folder(
    pytester: pytest.Pytester, cards: dict[str, Scorecard], settings: dict[str, Any]
) -> None:
    (test,) = (code for code in blocks("python", README) if code.startswith("def test_"))
    assert len(test.splitlines()) == 3
    for name, outcome in (("leaky", {"failed": 1}), ("causal", {"passed": 1})):
        written = test.replace("checkpoints/leaky", str(ROOT / "checkpoints" / name))
        pytester.path.joinpath("test_model.py").write_text(written)
        own = ("-p", "no:cacheprovider", "--evalharness-trust", f"--evalharness-out={settings['out']}")
        result = pytester.runpytest_subprocess(*own)
        result.assert_outcomes(**outcome)
        assert ("The model is not causal" in result.stdout.str()) == (name == "leaky")


def test_the_leaky_one_has_the_lower_logged_loss(cards: dict[str, Scorecard]) -> None:
    leaky, causal = cards["leaky"].loss.logged_nats, cards["causal"].loss.logged_nats
    assert leaky is not None
    assert causal is not None
    assert leaky < causal


def test_the_leaky_one_has_the_higher_honest_loss(cards: dict[str, Scorecard]) -> None:
    leaky, causal = cards["leaky"].loss.honest_nats, cards["causal"].loss.honest_nats
    assert leaky is not None
    assert causal is not None
    assert leaky.low > causal.high


def test_the_recomputed_loss_is_the_logged_one(cards: dict[str, Scorecard]) -> None:
    for card in cards.values():
        assert card.loss.recomputed_nats is not None
        assert card.loss.recomputed_nats.low <= card.loss.logged_nats <= card.loss.recomputed_nats.high  # type: ignore[operator]


def test_the_leaky_one_collapsed_loops_and_passes_nothing(cards: dict[str, Scorecard]) -> None:
    card = cards["leaky"]
    assert card.verdict == "collapsed"
    assert card.degeneration["greedy"].rate >= 0.9
    assert card.degeneration["sampled"].rate >= 0.9
    for decoding, outcomes in card.outcomes["warmup"].items():
        assert "passed" not in outcomes, decoding


def test_the_leaky_ones_cause_is_named(cards: dict[str, Scorecard]) -> None:
    first = cards["leaky"].findings[0]
    assert (first.probe, first.severity) == ("future_leak", "cause")


def test_the_causal_one_does_not_collapse_and_passes_a_tenth_of_warmup_at_least(cards: dict[str, Scorecard]) -> None:
    card = cards["causal"]
    assert card.verdict == "healthy"
    assert card.pass_at_k["warmup"]["greedy"]["1"].low >= 0.10


def test_the_causal_one_is_cleared(cards: dict[str, Scorecard]) -> None:
    card = cards["causal"]
    assert not [finding for finding in card.findings if finding.severity == "cause"]
    assert {"future_leak", "label_shift", "overfit", "undertrained"} <= {cleared.probe for cleared in card.ruled_out}


def test_the_two_models_differ_in_the_mask_alone() -> None:
    sources = [(ROOT / "checkpoints" / name / "model.py").read_text(encoding="utf-8").splitlines() for name in NAMES]
    changed = [line for line in difflib.ndiff(*sources) if line[0] in "-+"]
    assert len(changed) == 2
    assert changed[1].replace(", is_causal=True", "")[1:] == changed[0][1:]


def test_they_share_tokenizer_data_settings_and_steps() -> None:
    for file in ("tokenizer.json", "train.jsonl.gz", "val.jsonl", "evalharness.toml"):
        one, other = ((ROOT / "checkpoints" / name / file).read_bytes() for name in NAMES)
        assert one == other, file
    steps = [[step.step for step in find_series(ROOT / "checkpoints" / name)] for name in NAMES]
    assert steps[0]
    assert set(steps[0]) == set(steps[1])
    logged = [[p.step for p in read_log(ROOT / "checkpoints" / name / "train.log")] for name in NAMES]
    assert logged[0] == logged[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_completion_is_the_same_whatever_the_batch_the_order_and_the_drafts(name: str) -> None:
    manifest = find_manifest(ROOT / "checkpoints" / name)
    checkpoint = load_checkpoint(ROOT / "checkpoints" / name, manifest, trust=True)
    problems = load_problems("warmup", limit=10, environment=os.environ).problems
    sampled = Decoding("sampled", 0.8, 0.95, 0)
    requests = [
        *requests_for(problems, checkpoint.tokenizer, Prompting(), GREEDY, 1),
        *requests_for(problems, checkpoint.tokenizer, Prompting(), sampled, 3),
    ]
    rows = [list(request.prompt_ids or ()) for request in requests[:8]]
    noise = logit_noise(checkpoint.model, rows, padded=name == "causal")

    def written(batch_size: int, *, drafts: bool, shuffled: int) -> dict[tuple[str, str, int], object]:
        order = Random(shuffled).sample(requests, len(requests))
        settings = Settings(24, batch_size, 0, exact_lengths=name == "leaky", drafts=drafts, noise_nats=noise)
        made = generate(checkpoint.model, checkpoint.tokenizer, order, Prompting(), settings, checkpoint.token_mask)
        return {(c.task_id, c.decoding, c.completion_id): c for c in made}

    expected = written(32, drafts=True, shuffled=0)
    assert written(1, drafts=False, shuffled=1) == expected
    assert written(7, drafts=True, shuffled=2) == expected


def test_a_copy_elsewhere_is_the_same_checkpoint(tmp_path: Path) -> None:
    source = ROOT / "checkpoints" / "causal"
    shutil.copytree(source, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    fingerprints = {
        load_checkpoint(folder, find_manifest(folder), trust=True).info.fingerprint
        for folder in (source, tmp_path / "copy")
    }
    assert len(fingerprints) == 1
