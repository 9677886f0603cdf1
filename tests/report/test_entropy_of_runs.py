"""Entropy in reinforcement learning: what the report of a run says of it, and when it says that solutions narrow."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import run_example as example
from shipped_records import shipped_records

from evalharness.records import EntropyPoint
from evalharness.report import run_document, run_figures, to_markdown
from evalharness.report.entropy_against_solutions import entropy_against_solutions, entropy_by_step
from evalharness.runs.frames import load_run
from evalharness.runs.json_values import plain
from evalharness.runs.run_record import RunRecord, write_run_record

TASKS, SAMPLES = 40, 4
FALLING = {5: 1.0, 10: 0.9, 15: 0.4, 20: 0.2}


def solutions(step: int, passed: int, different: int, tasks: int = TASKS) -> list[dict]:
    """``SAMPLES`` completions of each task: so many of them pass, and so many differ."""
    rows = []
    for task in range(tasks):
        for number in range(SAMPLES):
            row = example.completion(step, task=task, passed=number < passed)
            rows.append({**row, "completion_id": number, "text": f"return {min(number, different - 1)}"})
    return rows


def frames(first: list[dict], last: list[dict], logged: dict[int, float] = FALLING):
    points = [plain(EntropyPoint(step, "train", nats, f"train.log:{step}")) for step, nats in logged.items()]
    return example.frames({10: example.unseen(10), 20: example.unseen(20)}, [*first, *last], entropies=points)


def test_entropy_that_falls_while_pass_at_1_alone_rises_narrows():
    (found,) = entropy_against_solutions(frames(solutions(10, 1, 4), solutions(20, 4, 1)))
    assert found.narrows
    assert (found.k, found.steps) == (SAMPLES, (10, 20))
    assert found.entropies == (pytest.approx(0.7667, abs=1e-3), 0.2)
    assert found.pass_at_1.difference.low > 0.5
    assert found.pass_at_k.difference.estimate == 0
    assert (found.different.first, found.different.last) == (1.0, 0.25)
    assert found.different.difference.high < 0
    assert found.trend_1.rho is None, "of two steps there is no trend"


@pytest.mark.parametrize(
    ("first", "last", "logged"),
    [
        (solutions(10, 0, 4), solutions(20, 4, 1), FALLING),
        (solutions(10, 4, 4), solutions(20, 4, 1), FALLING),
        (solutions(10, 1, 4), solutions(20, 4, 1), {10: 1.0, 20: 0.95}),
        (solutions(10, 1, 4, tasks=2), solutions(20, 2, 1, tasks=2), FALLING),
    ],
    ids=["pass@k rises too", "pass@1 does not rise", "entropy does not fall", "too few problems to tell"],
)
def test_otherwise_it_does_not(first, last, logged):
    (found,) = entropy_against_solutions(frames(first, last, logged))
    assert not found.narrows


def test_a_value_counts_for_the_scored_step_nearest_to_it():
    held = frames([], [], {1: 1.0, 14: 2.0, 16: 4.0, 99: 8.0})
    assert entropy_by_step(held) == {10: 1.5, 20: 6.0}


def test_one_completion_per_problem_tells_nothing_of_different_solutions():
    ones = [example.completion(step, task=task) for step in (10, 20) for task in range(TASKS)]
    assert entropy_against_solutions(frames(ones, [])) == []


def test_the_report_says_so_and_says_nothing_of_entropy_if_none_was_logged(golden_text):
    held = frames(solutions(10, 1, 4), solutions(20, 4, 1))
    told = to_markdown(run_document(example.run(held), {}))
    golden_text(told[told.index("### Entropy") :].split("\n## ")[0])
    silent = replace(held, entropies=held.entropies.iloc[:0])
    assert "ntropy" not in to_markdown(run_document(example.run(silent), {}))


def test_the_figure_has_a_line_of_it():
    held = frames(solutions(10, 1, 4), solutions(20, 4, 1))
    without = replace(held, entropies=held.entropies.iloc[:0])
    assert b"entropy" in run_figures.loss_and_behaviour_figure(held)
    assert b"entropy" not in run_figures.loss_and_behaviour_figure(without)


def test_a_real_run_is_compared_over_all_of_its_steps(tmp_path):
    folder = shutil.copytree(shipped_records() / "causal", tmp_path / "causal")
    steps = sorted(load_run(folder).scorecards)
    log = [EntropyPoint(step, "train", 2.0 / (1 + place), "train.log:1") for place, step in enumerate(steps)]
    write_run_record(folder, RunRecord("causal", "causal", (), (), ()), [], log)
    found = {item.problems: item for item in entropy_against_solutions(load_run(folder))}
    warmup = found["warmup"]
    assert (warmup.steps, warmup.entropies) == ((steps[0], steps[-1]), (2.0, 2.0 / len(steps)))
    assert warmup.trend_1.points == len(steps)
    assert warmup.trend_1.rho is not None
    card = load_run(folder).scorecards[steps[-1]]
    assert warmup.pass_at_1.second.estimate == pytest.approx(card.pass_at_k["warmup"]["sampled"]["1"].estimate)
