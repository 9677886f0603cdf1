"""What the project promises of itself: its two commands, its versions, its reports."""

from __future__ import annotations

import os
import re

import pytest
from documentation import README
from shipped_records import EXAMPLES, example_card, shipped_records
from small_folder import ROOT

from evalharness.runs import scorecard_json


def commands_of_the_readme() -> list[str]:
    return re.findall(r"```bash\n(python3 -m venv .*)\n```", README)


def test_the_readme_begins_with_two_commands() -> None:
    first, second = commands_of_the_readme()
    assert first.endswith("evalharness score checkpoints/leaky")
    assert second.endswith("tox")


def test_ci_runs_the_readmes_test_command_as_it_stands() -> None:
    assert commands_of_the_readme()[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_torch_is_pinned() -> None:
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.xdist_group("kept together")
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="there are no groups without workers")
def test_pytest_and_xdist_keep_groups_of_tests_together(request: pytest.FixtureRequest) -> None:
    # Where a pair of versions does not, nothing fails: what a group shares is made by every worker.
    assert request.node.nodeid.endswith("@kept together")


@pytest.mark.parametrize("name", ["leaky", "causal"])
def test_the_committed_reports_are_of_the_committed_checkpoints(name: str) -> None:
    from evalharness.models.torch import load_checkpoint
    from evalharness.settings.manifest import find_manifest

    path = ROOT / "checkpoints" / name
    found = list((shipped_records() / name).glob("step_*/scorecard.json"))
    assert len(found) == 5
    for file in (EXAMPLES / name / "step_1000" / "scorecard.json", *found):
        scored = scorecard_json.from_json(file.read_text(encoding="utf-8")).checkpoint
        loaded = load_checkpoint(path, find_manifest(path), step=scored.step, trust=True).info
        assert scored.fingerprint == loaded.fingerprint


def test_the_readme_shows_the_cards_of_the_committed_scorecards() -> None:
    from evalharness.report import render_card

    for name in ("leaky", "causal"):  # step 1,000 is the one that score takes
        assert str(render_card(example_card(name), f"reports/{name}/step_1000/report.md")).strip() in README
