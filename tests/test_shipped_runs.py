"""The shipped run that begins sound and collapses: it is caught at the step where that happens."""

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


def test_every_step_of_the_run_has_its_logged_loss():
    validated = {point.step for point in read_log(RUN / "train.log") if point.split == "validation"}
    assert {step.step for step in find_series(RUN)} == validated - {0}
    assert {SOUND, COLLAPSED} < validated


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
