"""The action and the snippet for GitLab: their commands run as they stand, settings being those of the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from documentation import block
from scored_folder import SETTINGS, Project
from small_folder import ROOT

pytestmark = pytest.mark.xdist_group("scored project")

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


def bash(command: str, project: Project, **own: str) -> subprocess.CompletedProcess[str]:
    """A step's command with this environment's interpreter and the scored project's settings."""
    settings = {f"EVALHARNESS_{name.upper()}": value for name, value in SETTINGS.items()}
    environment = {**os.environ, **settings, **own, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    options: dict[str, Any] = {"cwd": project.folder, "env": environment, "text": True, "capture_output": True}
    return subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], check=False, timeout=240, **options)


def action(project: Project, tmp_path: Path, **given: str) -> int:
    """Run the action's steps as a runner does: inputs put into the environment, the first failure ends it."""
    inputs = {name: str(item.get("default", "")) for name, item in ACTION["inputs"].items()} | given
    expressions = {"github.action_path": str(ROOT), **{f"inputs.{name}": text for name, text in inputs.items()}}
    for step in ACTION["runs"]["steps"]:
        own = {name: expressions[text.removeprefix("${{ ").removesuffix(" }}")] for name, text in step["env"].items()}
        done = bash(step["run"], project, **own, GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
        if done.returncode:
            return done.returncode
    return 0


def test_the_action_passes_a_sound_checkpoint_and_leaves_a_summary(
    project: Project, tmp_path: Path, golden_text
) -> None:
    assert action(project, tmp_path, checkpoint="sound", junit=str(tmp_path / "gate.xml")) == 0
    golden_text((tmp_path / "summary.md").read_text(), {"(?s)```text.*?```": "<card>"})
    assert (tmp_path / "gate.xml").exists()


def test_the_action_fails_for_a_collapsed_one(project: Project, tmp_path: Path) -> None:
    arguments = '--no-collapse --checks "loss_is_honest,ends_by_itself"'
    assert action(project, tmp_path, checkpoint="collapsed", arguments=arguments, junit=str(tmp_path / "x.xml")) == 1


def test_gitlabs_script_runs_as_the_documentation_shows_it(project: Project) -> None:
    job = yaml.safe_load(block("yaml", "evalharness:"))["evalharness"]
    for checkpoint, expected in (("sound", 0), ("collapsed", 1)):
        codes = [bash(line, project, CHECKPOINT=checkpoint).returncode for line in job["script"]]
        assert codes == [0, expected]
    assert (project.folder / job["artifacts"]["reports"]["junit"]).exists()


def test_the_documentation_gives_the_action_inputs_that_it_has() -> None:
    (step,) = yaml.safe_load(block("yaml", "- uses:"))
    assert step["with"].keys() <= ACTION["inputs"].keys()
