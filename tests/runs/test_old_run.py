"""A run folder and a baseline that the version before wrote, with its scorecards of schema 4, are read as ever."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from shipped_records import shipped_records

import evalharness
from evalharness.gate.baseline import baseline_of, differences, read_baseline, solved
from evalharness.gate.baseline import compare as compare_baselines
from evalharness.gate.output import worst_completion
from evalharness.pipeline import compare, renew_report
from evalharness.report import read_examples
from evalharness.runs import paths, scorecard_json
from evalharness.runs import record_rows as rows
from evalharness.runs.run_record import read_run_record

HERE = Path(__file__).parent
OLD_BASELINE = HERE / "old_baseline.json"


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    """Some rows of the leaky model's last step, with its whole scorecard."""
    run = tmp_path / "reports" / "leaky"
    shutil.copytree(HERE / "old_run", run)
    shutil.copy(HERE / "old_scorecards" / "leaky_version_4.json", run / "step_1000" / paths.SCORECARD)
    return run


def test_an_old_run_is_read_as_frames(old_run):
    frames = evalharness.load_run(old_run)
    assert list(frames.scorecards) == [1000]
    assert frames.scorecards[1000].verdict == "collapsed"
    completions = frames.completions
    assert list(completions.groupby("decoding").size().items()) == [("greedy", 2), ("sampled", 4)]
    assert set(completions["kind"]) == {"newline"}
    assert list(completions["loop_onset"]) == [0.0] * len(completions)
    assert set(completions["verdict"]) == {"failed"}
    assert list(completions["tokens"]) == [64] * len(completions)
    assert frames.row_losses["targets"].tolist() == [11, 11, 5]
    assert frames.losses["loss_nats"].notna().all()
    assert frames.checkpoints["cause"].tolist() == ["future_leak"]


def test_an_old_runs_report_is_made_anew(old_run, golden_text):
    path = renew_report(old_run).path
    assert path == old_run / paths.REPORT
    golden_text(path.read_text(encoding="utf-8").splitlines()[0])
    record = read_run_record(old_run)
    assert (record.name, record.path, record.failures) == ("leaky", "checkpoints/leaky", ())


def test_an_old_run_is_compared_with_another(old_run):
    causal = shipped_records() / "causal"
    (compared,) = compare([old_run, causal], {})
    greedy = next(c for measure, c in compared.measures.items() if (measure.decoding, measure.k) == ("greedy", 1))
    assert greedy.problems == 2, "those that both have"
    assert compared.first.card.verdict == "collapsed"


def test_old_examples_and_rows_are_records(old_run, golden_text):
    step = old_run / "step_1000"
    (shown,) = read_examples(step)
    assert (shown.task_id, shown.decoding, shown.kind) == ("HumanEval/0", "greedy", "newline")
    golden_text(worst_completion(step).splitlines()[0])
    assert paths.groups_in(step) == [paths.Group("warmup", "greedy"), paths.Group("warmup", "sampled")]
    (first, *_) = rows.read_completions(step, paths.Group("warmup", "greedy"))
    assert (first.task_id, len(first.token_ids), len(first.token_entropy_nats)) == ("warmup/0", 64, 64)


def test_an_old_baseline_is_read_and_compares_with_what_is_scored_now():
    baseline = read_baseline(OLD_BASELINE)
    assert solved(baseline) > 20
    folder = shipped_records() / "causal" / "step_1000"
    now = baseline_of(scorecard_json.read(folder), folder)
    assert differences(baseline, now.protocol) == []
    assert compare_baselines(OLD_BASELINE, baseline, now).difference.estimate == 0.0
    assert json.loads(OLD_BASELINE.read_text())["evalharness_baseline"] == 1
