"""Scores in the real libraries of trackers, in their offline modes, read again as each library reads its own."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from shipped_records import example_card

from evalharness.errors import EvalHarnessError
from evalharness.integrations import trackers
from evalharness.records import Interval
from evalharness.runs import paths

PASS_AT_1 = example_card("causal").pass_at_k["warmup"]["greedy"]["1"].estimate
PAGE = "<!doctype html><title>leaky</title>"


def card_of(step):
    card = example_card("causal")
    return replace(card, checkpoint=replace(card.checkpoint, step=step))


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """Two steps of one run, each with its page."""
    monkeypatch.chdir(tmp_path)
    steps = {}
    for step in (500, 1000):
        folder = tmp_path / "reports" / "leaky" / f"step_{step}"
        folder.mkdir(parents=True)
        (folder / paths.REPORT_PAGE).write_text(PAGE, encoding="utf-8")
        steps[folder] = card_of(step)
    return steps


def log(name, scored, tmp_path):
    with trackers.log_to((name,), "leaky", tmp_path / "reports" / "leaky") as log_one:
        for folder, card in scored.items():
            log_one(card, folder)


def test_wandb_has_the_figures_of_each_step_and_the_page(scored, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    log("wandb", scored, tmp_path)
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    history = _wandb_history(file, rows=2)
    assert [row["evalharness/step"] for row in history] == [500, 1000]
    assert [row["evalharness/warmup_greedy_pass@1"] for row in history] == [PASS_AT_1] * 2
    assert {row["evalharness/report/_type"] for row in history} == {"html-file"}
    (page, *_) = tmp_path.glob("wandb/offline-run-*/files/media/html/**/*.html")
    assert "leaky" in page.read_text(encoding="utf-8")


def _wandb_history(file: Path, rows: int) -> list[dict]:
    """The rows of an offline run, by the reader of training logs: wandb itself has none any more.

    Its own process writes them, and may do so a moment after the run has ended.
    """
    from evalharness.training_log.wandb_file import _rows

    until_s = time.monotonic() + 60
    while len(history := [*_rows(SimpleNamespace(path=file))]) < rows and time.monotonic() < until_s:
        time.sleep(0.1)
    return history


def test_wandb_takes_the_run_that_is_under_way_and_leaves_it_open(scored, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    with wandb.init(project="training", dir=tmp_path) as run:
        assert trackers.active_trackers() == ("wandb",)
        log("wandb", scored, tmp_path)
        assert wandb.run is run
    assert len([*tmp_path.glob("wandb/offline-run-*")]) == 1


def test_tensorboard_has_the_figures_of_each_step(scored, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    approx = pytest.approx(PASS_AT_1)  # event files have single precision
    log("tensorboard", scored, tmp_path)
    events = EventAccumulator(str(tmp_path / "reports" / "leaky" / "tensorboard"))
    events.Reload()
    points = events.Scalars("evalharness/warmup_greedy_pass@1")
    assert [(point.step, point.value) for point in points] == [(500, approx), (1000, approx)]
    assert len(events.Tensors("evalharness/report/text_summary")) == 2


def test_mlflow_has_the_figures_of_each_step_and_the_page(scored, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri(tmp_path.joinpath("tracked").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    log("mlflow", scored, tmp_path)
    client = mlflow.MlflowClient()
    (run,) = client.search_runs(["0"])
    assert run.info.run_name == "leaky"
    history = client.get_metric_history(run.info.run_id, "evalharness/warmup_greedy_pass_at_1")
    assert [(point.step, point.value) for point in history] == [(500, PASS_AT_1), (1000, PASS_AT_1)]
    files = [*tmp_path.glob(f"**/step_500/{paths.REPORT_PAGE}")]
    assert len(files) == 2, "the reports folder's, and MLflow's copy"


def test_trackio_has_the_figures_of_each_step(scored, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "tracked"))
    trackio = pytest.importorskip("trackio")
    log("trackio", scored, tmp_path)
    rows = trackio.SQLiteStorage.get_logs("evalharness", "leaky")
    assert [(row["step"], row["evalharness/warmup_greedy_pass@1"]) for row in rows] == [
        (500, PASS_AT_1),
        (1000, PASS_AT_1),
    ]
    assert {row["evalharness/report"]["_type"] for row in rows} == {"trackio.html"}


def test_the_page_alone_goes_to_the_run_that_is_under_way(scored, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "tracked"))
    trackio = pytest.importorskip("trackio")
    folder, card = next(iter(scored.items()))
    trackers.log_page(card, folder)
    trackio.init(project="training", name="mine", embed=False)
    trackers.log_page(card, folder)
    trackio.finish()
    (row,) = trackio.SQLiteStorage.get_logs("training", "mine")
    assert row["evalharness/report"]["_type"] == "trackio.html"
    assert [name for name in row if name.startswith("evalharness/")] == ["evalharness/step", "evalharness/report"]


def test_a_library_that_is_missing_is_said_before_the_work(monkeypatch):
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EvalHarnessError, match=r"evalharness\[mlflow\]"):
        trackers.check(("mlflow",))


def test_each_share_has_the_bounds_of_its_interval_beside_it():
    card = card_of(7)
    shares = card.pass_at_k["warmup"]["greedy"]["1"]
    found = trackers.figures(card)
    name = "evalharness/warmup_greedy_pass@1"
    assert Interval(found[name], found[f"{name}_low"], found[f"{name}_high"]) == shares
    assert found["evalharness/step"] == 7
