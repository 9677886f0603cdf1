"""What the shipped runs show over their steps, and that a collapse is caught at the step where it happens."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from forked_command import run_forked
from shipped_records import example_records
from small_folder import ROOT

from evalharness import Scorecard, load_run
from evalharness.degeneration.lexemes import lexemes
from evalharness.diagnosis.data.data_files import each_record
from evalharness.diagnosis.data.problem_search import ProblemSearch
from evalharness.gate.checks import max_loop_rate
from evalharness.models.torch import find_series
from evalharness.pipeline import watch
from evalharness.problems import load_problems
from evalharness.report.loss_against_behaviour import agreements
from evalharness.runs.frames import RunFrames
from evalharness.statistics.paired import sign_test
from evalharness.training_log import read_log

NAMES = ("leaky", "causal", "collapsing", "taught")
RUN = ROOT / "checkpoints" / "collapsing_run"
TAUGHT = ROOT / "checkpoints" / "taught_run"
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
    return {name: load_run(example_records() / f"{name}_run") for name in NAMES}


def by_step(run: RunFrames, column: str) -> dict[int, float]:
    return run.checkpoints.set_index("step")[column].to_dict()


def watched_cards(run: Path, steps: Iterable[int], tmp_path: Path, **settings: Any) -> dict[int, Scorecard]:
    """Score steps of a run for real, copied to ``run`` in ``tmp_path``, without data."""
    folder = tmp_path / "run"
    for step in steps:
        shutil.copytree(run / f"lora_step{step}", folder / f"lora_step{step}")
    (folder / "evalharness.toml").write_text(NO_DATA.format(twin=ROOT / "checkpoints" / "causal"))
    asked = {**SETTINGS, "out": tmp_path / "reports", **settings}
    watched = [result.scorecards for result in watch(folder, asked, settle_s=0.0, idle_s=0.1)]
    return {step: card for scorecards in watched for step, card in scorecards.items() if step is not None}


def steps_of(name: str) -> set[int | None]:
    return {step.step for step in find_series(ROOT / "checkpoints" / f"{name}_run")}


@pytest.mark.parametrize("name", NAMES)
def test_every_step_of_a_run_has_its_logged_loss(name: str):
    log = read_log(ROOT / "checkpoints" / f"{name}_run" / "train.log")
    assert steps_of(name) == {point.step for point in log if point.split == "validation"} - {0}


@pytest.mark.parametrize("name", NAMES)
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


def flips(run: RunFrames, problem_set: str) -> tuple[int, int]:
    """How many problems the last step solves that the first one does not, greedily, and the reverse."""
    greedy = run.completions.query("decoding == 'greedy' and problems == @problem_set and passed == True")
    first, last = (
        set(greedy[greedy["step"] == step]["task_id"]) for step in (min(run.scorecards), max(run.scorecards))
    )
    return len(last - first), len(first - last)


def test_the_taught_run_solves_problems_of_kinds_that_its_base_did_not(runs: dict[str, RunFrames]):
    solved = by_step(runs["taught"], "new_kinds_greedy_pass_at_1")
    assert solved[min(solved)] == 0
    assert by_step(runs["taught"], "new_kinds_greedy_pass_at_1_low")[max(solved)] > 0
    assert sign_test(*flips(runs["taught"], "new_kinds")) < 0.01
    pairs = {(pair.loss, pair.behaviour): pair.agreement for pair in agreements(runs["taught"])}
    rho = pairs["honest", "new_kinds greedy pass@1"].levels.rho
    assert rho is not None
    assert rho.high < 0


def test_the_taught_run_does_not_provably_forget(runs: dict[str, RunFrames]):
    assert sign_test(*flips(runs["taught"], "warmup")) >= 0.05
    assert {str(card.verdict) for card in runs["taught"].scorecards.values()} == {"healthy"}


def test_no_problem_of_the_taught_run_is_in_its_rows():
    problems = load_problems(str(TAUGHT / "problems.jsonl"), environment={}).problems
    search = ProblemSearch(problems)
    rows = [row for _, row in each_record(TAUGHT / "train.jsonl.gz")]
    for row in rows:
        text = row["prompt"] + row["solution"]
        search.read(text, lexemes(text.lower()))
    assert search.found() == {}
    of_new_kinds = "".join(row["solution"] for row in rows if row["id"].startswith("new_"))
    assert not numbers_in("".join(p.canonical_solution for p in problems)) & numbers_in(of_new_kinds) - {0, 100}


def numbers_in(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"\d+", text)}


@pytest.mark.slow
def test_a_score_shows_more_problems_solved_after_the_teaching(tmp_path: Path):
    first, last = min(filter(None, steps_of("taught"))), max(filter(None, steps_of("taught")))
    cards = watched_cards(TAUGHT, (first, last), tmp_path, problems=(str(TAUGHT / "problems.jsonl"),))
    solved = {step: card.pass_at_k["problems"]["greedy"]["1"] for step, card in cards.items()}
    assert cards[last].verdict == "healthy"
    assert solved[first].high < solved[last].low


@pytest.mark.slow
def test_watch_and_gate_catch_the_collapse_at_its_step(tmp_path: Path):
    cards = watched_cards(RUN, (SOUND, COLLAPSED), tmp_path)
    folder = tmp_path / "run"
    assert cards[SOUND].verdict not in ("collapsed", "degenerating")
    assert cards[COLLAPSED].verdict in ("collapsed", "degenerating")
    assert cards[SOUND].degeneration["greedy"].high < cards[COLLAPSED].degeneration["greedy"].low
    for step, code in ((SOUND, 0), (COLLAPSED, 1)):
        limits = ("--max-greedy-loop-rate", "0.3", "--out", str(tmp_path / "reports"))
        done = run_forked(["gate", str(folder), "--step", str(step), *limits, *OPTIONS], cwd=tmp_path)
        assert done.returncode == code, (step, done.stdout, done.stderr)
