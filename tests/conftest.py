"""What tests of several folders share: a small model in a folder, as a user has one, and a way to run the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_folder import MANIFEST, MODEL, PROBLEMS, Run

pytest_plugins = ["pytester"]


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A folder with a user's own module, its weights, data, log and problems; the model is random and seeded."""
    return make_model_folder(tmp_path)


def make_model_folder(above: Path) -> Path:
    """The same in a folder of one's own choice, for tests that share one."""
    import torch

    folder = above / "mine"
    folder.mkdir()
    (folder / "my_model.py").write_text(MODEL)
    (folder / "evalharness.toml").write_text(MANIFEST)
    scope: dict = {}
    exec(compile(MODEL, "my_model.py", "exec"), scope)
    torch.manual_seed(0)
    torch.save(scope["build"]().state_dict(), folder / "model.pt")
    rows = [{"prompt": p["prompt"], "completion": p["canonical_solution"]} for p in PROBLEMS]
    (folder / "val.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "train.log").write_text("Step 10/20 | Loss: 4.5\n  [EVAL] Step 20 | Val Loss: 4.4\n")
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    return folder


@pytest.fixture
def run(model_folder: Path) -> Run:
    """Run the command ``evalharness`` in the folder above the model's, as a user would."""
    return runner(model_folder.parent)


def runner(folder: Path) -> Run:
    """Run the command ``evalharness`` in this folder."""

    def run_command(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "evalharness", *map(str, arguments)]
        options = {"cwd": folder, "text": True, "capture_output": True, "timeout": 240, **more}
        return subprocess.run(command, check=False, **options)  # type: ignore[call-overload]

    return run_command
