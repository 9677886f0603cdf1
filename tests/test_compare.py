"""``evalharness compare`` on scores that were made by the command."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from golden_text import lines_with
from shipped_records import shipped_records
from small_folder import Run


@pytest.fixture
def reports(model_folder: Path) -> Path:
    """The records of the shipped pair, in a folder of one's own."""
    copy = model_folder.parent / "reports"
    for name in ("leaky", "causal"):
        shutil.copytree(shipped_records() / name / "step_1000", copy / name / "step_1000")
    return copy


def test_the_pair_compared_says_that_the_lower_loss_is_the_worse_model(run: Run, reports: Path, golden_text):
    done = run("compare", "reports/leaky", "reports/causal", "--markdown")
    assert done.returncode == 0, done.stderr
    golden_text(lines_with("is better than", done.stdout))
    golden_text(lines_with("only the second passes", done.stdout))


def test_the_comparison_is_a_table_as_wide_as_the_terminal(run: Run, reports: Path):
    for width in (80, 120):
        done = run("compare", "reports/leaky", "reports/causal", env={**os.environ, "COLUMNS": str(width)})
        lines = done.stdout.splitlines()
        assert max(map(len, lines)) <= width
        assert not any(line.startswith("|") for line in lines), "no raw Markdown"
        assert any(line.startswith("Measure") and "Difference" in done.stdout for line in lines)


def test_the_comparison_as_json_has_all_that_the_document_says(run: Run, reports: Path, golden_text):
    (found,) = json.loads(run("compare", "reports/leaky", "reports/causal", "--json").stdout)
    golden_text(found["headline"])
    assert found["better"] == "causal, step 1,000"
    leaky, causal = found["scores"]
    assert (leaky["verdict"], leaky["cause"], leaky["loss_relation"]) == ("collapsed", "future_leak", "misleads")
    assert (causal["logged_nats"], causal["cause"], causal["loss_relation"]) == (0.645, None, "agree")
    tests = {name: measure["test"] for name, measure in found["measures"].items()}
    assert tests["warmup, greedy, pass@1"] == tests["warmup, sampled, pass@4"] == "exact McNemar"
    assert tests["warmup, sampled, pass@1"] == tests["sampled, degenerate"] == "sign flips"
    assert 0 < found["measures"]["warmup, greedy, pass@1"]["detectable"] < 1


def test_a_share_of_degenerate_completions_has_the_interval_that_its_own_report_gives(run: Run, reports: Path):
    (found,) = json.loads(run("compare", "reports/leaky", "reports/causal", "--json").stdout)
    for side, name in (("first", "leaky"), ("second", "causal")):
        card = json.loads((reports / name / "step_1000" / "scorecard.json").read_text())
        for decoding, rate in card["degeneration"].items():
            compared = found["measures"][f"{decoding}, degenerate"][side]
            assert [compared[end] for end in ("low", "high")] == [rate[end] for end in ("low", "high")]


def test_either_way_round_says_the_same_with_the_signs_turned(run: Run, reports: Path):
    one, other = (
        json.loads(run("compare", *pair, "--json").stdout)[0]["measures"]["warmup, greedy, pass@1"]
        for pair in (("reports/leaky", "reports/causal"), ("reports/causal", "reports/leaky"))
    )
    assert one["difference"]["estimate"] == -other["difference"]["estimate"]
    assert one["p_value"] == other["p_value"] < 0.001
    assert one["gained"] == other["lost"]


def test_a_score_against_itself_shows_no_difference(run: Run, reports: Path, golden_text):
    done = run("compare", "reports/causal", "reports/causal/step_1000/scorecard.json", "--markdown")
    golden_text(lines_with("is shown to be", done.stdout))


def test_what_was_not_held_fixed_is_said(run: Run, reports: Path, golden_text):
    file = reports / "causal" / "step_1000" / "scorecard.json"
    file.write_text(file.read_text().replace('"temperature": 0.8', '"temperature": 0.2'))
    golden_text(lines_with("temperature", run("compare", "reports/leaky", "reports/causal", "--markdown").stdout))


def test_a_setting_that_is_newer_than_a_scorecard_had_its_default(run: Run, reports: Path):
    file = reports / "causal" / "step_1000" / "scorecard.json"
    card = json.loads(file.read_text())
    card["protocol"]["settings"] = {"chat": "auto"}
    file.write_text(json.dumps(card))
    (found,) = json.loads(run("compare", "reports/leaky", "reports/causal", "--json").stdout)
    assert found["notes"] == []


@pytest.mark.parametrize(
    "arguments",
    [("compare", "reports/leaky"), ("compare", "reports/leaky", "nowhere")],
    ids=["one report", "no such folder"],
)
def test_what_can_not_be_compared_gets_one_clear_line(run: Run, reports: Path, arguments, golden_text):
    done = run(*arguments)
    assert done.returncode == 2
    golden_text(done.stderr)


def test_scores_without_a_problem_in_common_are_refused_with_their_sets(run: Run, reports: Path, golden_text):
    file = reports / "causal" / "step_1000" / "scorecard.json"
    for part in ("completions", "executions", "analyses"):
        for path in (file.parent / part).glob("*.jsonl"):
            path.rename(path.with_name("other." + path.name.split(".", 1)[1]))
    file.write_text(file.read_text().replace('"humaneval"', '"a"').replace('"warmup"', '"b"'))
    done = run("compare", "reports/leaky", "reports/causal", "--markdown")
    assert done.returncode == 2
    golden_text(done.stderr)


def test_files_of_completions_are_judged_and_compared(run: Run, model_folder: Path):
    problem = {
        "task_id": "own/0",
        "prompt": "def add(a, b):\n",
        "entry_point": "add",
        "canonical_solution": "    return a + b\n",
        "test": "def check(f):\n    assert f(2, 3) == 5\n",
    }
    here = model_folder.parent
    (here / "own.jsonl").write_text(json.dumps(problem) + "\n")
    for name, text in (("old.jsonl", "    return a\n"), ("new.jsonl", "    return a + b\n")):
        (here / name).write_text(json.dumps({"task_id": "own/0", "completion": text}) + "\n")
    done = run("compare", "old.jsonl", "new.jsonl", "--problems", "own.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    (measure,) = [m for name, m in found["measures"].items() if name.endswith("greedy, pass@1")]
    assert (measure["first"]["estimate"], measure["second"]["estimate"]) == (0.0, 1.0)
