"""The programs that make what ships: killed at any checkpoint, they go on to the same weights and the same log."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_folder import ROOT

pytest.importorskip("peft")
sys.path.append(str(ROOT / "checkpoints"))

import teach
import training
import whole_runs

NAME = "causal_run"
TINY = {
    "SIZE": {"width": 8, "layers": 1, "heads": 1},
    "BASE_ROWS": 40,
    "BASE_STEPS": 6,
    "BASE_SAVED": (2, 4, 6),
    "BASE_BATCH": 256,
    "TUNED_ROWS": 16,
    "TUNED_STEPS": 4,
    "TUNED_SAVED": (2, 4),
}
CHECKPOINTS = [2, 4, 6, 8, 10]
TAUGHT_TINY = {
    "NEW_ROWS": 6,
    "KNOWN_ROWS": 4,
    "REHEARSED_NEW": 3,
    "REHEARSED_KNOWN": 4,
    "NEW_VALIDATION": 2,
    "KNOWN_VALIDATION": 2,
    "BATCH": 2,
    "TAUGHT_STEPS": 4,
    "REHEARSED_STEPS": 4,
    "RATE_WARMUP": 1,
    "SAVED": (2, 4, 6, 8),
}


def tiny(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the small runs made in ``folder``, at a size that takes a second."""
    (folder / NAME).mkdir(parents=True)
    (folder / "causal").mkdir()
    for file in ("model.py", "tokenizer.json"):
        shutil.copy(ROOT / "checkpoints" / "causal" / file, folder / "causal")
    for name, value in (TINY | {"HERE": folder, "ROWS": folder / NAME, "STATE": folder}).items():
        monkeypatch.setattr(whole_runs, name, value)
    whole_runs.prepare()
    return folder / NAME


def make_and_be_killed(save: int, make: Callable[[], None]) -> None:
    """Make a run; this process is killed where it would keep its state for the ``save``-th time."""
    kept = 0
    keep = torch.save

    def killed(state: dict[str, Any], file: Path) -> None:
        nonlocal kept
        kept += 1
        if kept == save:
            os.kill(os.getpid(), signal.SIGKILL)
        keep(state, file)

    training.torch.save = killed
    make()


def logged(run: Path) -> list[str]:
    """The log without its speeds, which differ."""
    return [line.split(" | LR")[0] for line in (run / "train.log").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, made without an interruption."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        run = tiny(tmp_path_factory.mktemp("whole"), monkeypatch)
        whole_runs.make(NAME)
    return run


@pytest.mark.parametrize("save", [1, 2, 4], ids=["first", "base", "tuning"])
def test_a_run_that_was_killed_goes_on_to_the_same_weights_and_the_same_log(
    whole: Path, save: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tiny(tmp_path / "checkpoints", monkeypatch)
    killed = multiprocessing.get_context("fork").Process(
        target=make_and_be_killed, args=(save, partial(whole_runs.make, NAME))
    )
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert len(list(again.glob("*.safetensors"))) == save
    whole_runs.make(NAME)
    assert logged(again) == logged(whole)
    for step in CHECKPOINTS:
        expected, found = (load_file(run / f"step_{step}.safetensors") for run in (whole, again))
        assert all(torch.equal(expected[name], found[name]) for name in expected)


def taught(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the taught run made in ``folder``, at a size that takes seconds."""
    (folder / teach.NAME).mkdir(parents=True)
    (folder / "causal").symlink_to(ROOT / "checkpoints" / "causal")
    for name, value in (TAUGHT_TINY | {"HERE": folder, "STATE": folder}).items():
        monkeypatch.setattr(teach, name, value)
    return folder / teach.NAME


@pytest.mark.parametrize("save", [2, 3], ids=["end of the first stage", "second stage"])
def test_a_teaching_that_was_killed_goes_on_to_the_same_weights_and_the_same_log(
    save: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = taught(tmp_path / "whole", monkeypatch)
    teach.make()
    again = taught(tmp_path / "again", monkeypatch)
    killed = multiprocessing.get_context("fork").Process(target=make_and_be_killed, args=(save, teach.make))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    teach.make()
    assert logged(again) == logged(whole)
    for step in TAUGHT_TINY["SAVED"]:
        file = f"lora_step{step}/adapter_model.safetensors"
        expected, found = load_file(whole / file), load_file(again / file)
        assert all(torch.equal(expected[name], found[name]) for name in expected)
