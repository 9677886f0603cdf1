"""The shipped runs: every step has its logged loss, and a collapse is caught at the step where it happens."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from forked_command import run_forked
from small_folder import ROOT

from evalharness.models.torch import find_series
from evalharness.pipeline import watch
from evalharness.training_log import read_log

RUN = ROOT / "checkpoints" / "collapsing_run"
SOUND, COLLAPSED = 160, 240
SETTINGS = {"problems": ("warmup",), "limit": 12, "samples": 0, "max_new_tokens": 48, "trust": True}
OPTIONS = ("--problems", "warmup", "--limit", "12", "--samples", "0", "--max-new-tokens", "48", "--trust")
NO_DATA = """\
[model]
factory = "{twin}/model.py:build"
weights = "{twin}/base.safetensors"
tokenizer = "{twin}/tokenizer.json"
end_tokens = []
"""
"""Without data and log a score takes seconds: the verdict needs neither."""


@pytest.mark.parametrize("name", ["leaky_run", "causal_run", "collapsing_run"])
def test_every_step_of_a_run_has_its_logged_loss(name: str):
    folder = ROOT / "checkpoints" / name
    validated = {point.step for point in read_log(folder / "train.log") if point.split == "validation"}
    assert {step.step for step in find_series(folder)} == validated - {0}


def test_the_steps_beside_the_collapse_are_in_its_run():
    assert {SOUND, COLLAPSED} < {step.step for step in find_series(RUN)}


def logged(name: str) -> dict[int | None, float]:
    points = read_log(ROOT / "checkpoints" / name / "train.log")
    return {point.step: point.loss_nats for point in points if point.split == "validation"}


def test_the_twins_are_logged_at_the_same_steps_and_the_leaky_loss_falls_faster():
    leaky, causal = logged("leaky_run"), logged("causal_run")
    assert leaky.keys() == causal.keys()
    assert list(causal.values()) == sorted(causal.values(), reverse=True)
    assert all(leaky[step] < causal[step] / 2 for step in leaky if step is not None and step >= 250)


@pytest.mark.slow
def test_watch_and_gate_catch_the_collapse_at_its_step(tmp_path: Path):
    folder = tmp_path / "run"
    for step in (SOUND, COLLAPSED):
        shutil.copytree(RUN / f"lora_step{step}", folder / f"lora_step{step}")
    (folder / "evalharness.toml").write_text(NO_DATA.format(twin=ROOT / "checkpoints" / "causal"))
    asked = {**SETTINGS, "out": tmp_path / "reports"}
    watched = [result.scorecards for result in watch(folder, asked, settle_s=0.0, idle_s=0.1)]
    cards = {step: card for scorecards in watched for step, card in scorecards.items()}
    assert cards[SOUND].verdict not in ("collapsed", "degenerating")
    assert cards[COLLAPSED].verdict in ("collapsed", "degenerating")
    assert cards[SOUND].degeneration["greedy"].high < cards[COLLAPSED].degeneration["greedy"].low
    for step, code in ((SOUND, 0), (COLLAPSED, 1)):
        limits = ("--max-greedy-loop-rate", "0.3", "--out", str(tmp_path / "reports"))
        done = run_forked(["gate", str(folder), "--step", str(step), *limits, *OPTIONS], cwd=tmp_path)
        assert done.returncode == code, (step, done.stdout, done.stderr)
