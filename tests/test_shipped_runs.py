"""What the three shipped runs show over their steps, and that a collapse is caught at the step where it happens."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from forked_command import run_forked
from shipped_records import example_records
from small_folder import ROOT

from evalharness import load_run
from evalharness.gate.checks import max_loop_rate
from evalharness.models.torch import find_series
from evalharness.pipeline import watch
from evalharness.report.loss_against_behaviour import agreements
from evalharness.runs.frames import RunFrames
from evalharness.training_log import read_log

RUN = ROOT / "checkpoints" / "collapsing_run"
SOUND, COLLAPSED = 160, 240
TUNED_FROM = 1500
SETTINGS = {"problems": ("warmup",), "limit": 20, "samples": 0, "max_new_tokens": 96, "trust": True}
OPTIONS = ("--problems", "warmup", "--limit", "20", "--samples", "0", "--max-new-tokens", "96", "--trust")
NO_DATA = """\
[model]
factory = "{twin}/model.py:build"
weights = "{twin}/base.safetensors"
tokenizer = "{twin}/tokenizer.json"
end_tokens = []
"""
"""Without data and log a score takes seconds: the verdict needs neither."""


@pytest.fixture(scope="module")
def runs() -> dict[str, RunFrames]:
    return {name: load_run(example_records() / f"{name}_run") for name in ("leaky", "causal", "collapsing")}


def by_step(run: RunFrames, column: str) -> dict[int, float]:
    return run.checkpoints.set_index("step")[column].to_dict()


def steps_of(name: str) -> set[int | None]:
    return {step.step for step in find_series(ROOT / "checkpoints" / f"{name}_run")}


@pytest.mark.parametrize("name", ["leaky", "causal", "collapsing"])
def test_every_step_of_a_run_has_its_logged_loss(name: str):
    log = read_log(ROOT / "checkpoints" / f"{name}_run" / "train.log")
    assert steps_of(name) == {point.step for point in log if point.split == "validation"} - {0}


@pytest.mark.parametrize("name", ["leaky", "causal", "collapsing"])
def test_every_step_of_a_run_is_scored(runs: dict[str, RunFrames], name: str):
    assert steps_of(name) == set(runs[name].checkpoints["step"])


def test_the_causal_runs_loss_falls_as_its_pass_rate_rises(runs: dict[str, RunFrames]):
    pairs = {(pair.loss, pair.behaviour): pair.agreement for pair in agreements(runs["causal"])}
    rho = pairs["honest", "warmup greedy pass@1"].levels.rho
    assert rho is not None
    assert rho.high < 0
    losses, solved = by_step(runs["causal"], "honest_nats"), by_step(runs["causal"], "warmup_greedy_pass_at_1")
    assert list(losses.values()) == sorted(losses.values(), reverse=True)
    assert solved[1] < solved[TUNED_FROM] < solved[max(solved)]


def test_the_leaky_runs_logged_loss_falls_faster_while_its_honest_loss_rises(runs: dict[str, RunFrames]):
    leaky, causal = (by_step(runs[name], "logged_nats") for name in ("leaky", "causal"))
    assert all(leaky[step] < causal[step] for step in leaky if step >= 100)
    honest = by_step(runs["leaky"], "honest_nats")
    assert honest[max(honest)] > honest[min(honest)]


def test_the_leaky_run_goes_from_noise_to_newlines(runs: dict[str, RunFrames]):
    completions = runs["leaky"].completions
    texts = {step: "".join(rows["text"]) for step, rows in completions.groupby("step")}
    newlines = {step: text.count("\n") / len(text) for step, text in texts.items()}
    assert newlines[min(newlines)] < 0.05
    assert newlines[max(newlines)] > 0.5


def test_the_tuning_on_unseen_rows_changes_what_is_solved(runs: dict[str, RunFrames]):
    solved = runs["causal"].completions.query("decoding == 'greedy' and passed == True")
    before, after = (set(solved[solved["step"] == step]["task_id"]) for step in (TUNED_FROM, solved["step"].max()))
    assert after - before


def test_the_collapsing_run_solves_fewer_problems_long_before(runs: dict[str, RunFrames]):
    solved = by_step(runs["collapsing"], "warmup_greedy_pass_at_1")
    assert solved[min(solved)] > 2 * solved[SOUND] > solved[COLLAPSED] == 0


def test_the_collapsing_run_is_sound_up_to_the_step_where_it_collapses(runs: dict[str, RunFrames]):
    verdicts = by_step(runs["collapsing"], "verdict")
    bad = {step for step, verdict in verdicts.items() if verdict in {"collapsed", "degenerating"}}
    assert bad == {step for step in verdicts if step >= COLLAPSED}


def test_the_gate_fails_the_collapsing_run_from_that_step_on(runs: dict[str, RunFrames]):
    outcomes = {
        step: max_loop_rate(card, 0.3, decoding="greedy").outcome
        for step, card in runs["collapsing"].scorecards.items()
    }
    assert outcomes == {step: "failed" if step >= COLLAPSED else "passed" for step in outcomes}


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
