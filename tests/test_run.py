"""``evalharness run`` and ``report``: a whole series, as a user has one."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import pytest
from golden_text import lines_with
from shipped_records import EXAMPLES, example_records, shipped_records
from small_folder import Run, make_model_folder, runner

import evalharness
from evalharness.pipeline import Choice, run_series
from evalharness.pipeline.run_facts import facts_of
from evalharness.progress import Silent
from evalharness.settings.manifest import Manifest
from evalharness.training_log import read_logs

FEW = ("--problems", "mine/own.jsonl", "--samples", "2", "--max-new-tokens", "24")
STEPS = (10, 20, 30, 40, 50)


@pytest.fixture
def series(model_folder: Path) -> Path:
    """Five steps of one small model that drifts a little from step to step, and a log of their losses."""
    return as_series(model_folder)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run, str]:
    """The folder of a run that was scored whole, a way to run commands there, and what the first one printed."""
    series = as_series(make_model_folder(tmp_path_factory.mktemp("ran")))
    run = runner(series.parent)
    done = run("run", "mine", *FEW)
    assert done.returncode == 0, done.stderr
    return series.parent / "reports" / "mine", run, done.stdout


def as_series(model_folder: Path) -> Path:
    import torch

    weights = torch.load(model_folder / "model.pt")
    (model_folder / "model.pt").unlink()
    for number, step in enumerate(STEPS):
        moved = {name: value * (1 + 0.2 * number) for name, value in weights.items()}
        torch.save(moved, model_folder / f"step_{step}.pt")
    lines = [f"Step {s}/50 | Loss: {5 - s / 20:.4f}\n  [EVAL] Step {s} | Val Loss: {5 - s / 25:.4f}\n" for s in STEPS]
    (model_folder / "train.log").write_text("".join(lines))
    rows = [{"prompt": f"def f{i}(a):\n", "completion": f"    return a + {i}\n"} for i in range(12)]
    (model_folder / "val.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return model_folder


def rows(printed: str) -> dict[int, str]:
    """By step how it ended, from the lines of stdout that begin with a step."""
    lines = [line.split() for line in printed.splitlines() if re.match(r" *[\d,]+  ", line)]
    return {int(row[0].replace(",", "")): "FAILED" if row[1] == "FAILED:" else "scored" for row in lines}


def kept(printed: str) -> set[int]:
    """The steps that are said to be kept."""
    line = next((line for line in printed.splitlines() if line.startswith("kept ")), "")
    return {int(step) for step in re.findall(r"\d+", line)}


def records(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.glob("*") if p.is_file()} | {
        p.name: p.read_bytes() for p in (folder / "figures").glob("*")
    }


def test_a_run_scores_every_step_and_its_report_holds_all_that_the_write_up_holds(ran):
    folder, _, printed = ran
    assert rows(printed) == dict.fromkeys(STEPS, "scored")
    report = (folder / "report.md").read_text()
    wanted = ["How it was trained", "The losses", "Actual behaviour", "Does the behaviour follow the loss?", "Cause"]
    wanted += ["What worked, and what failed", "Don't try again", "Next steps", "Files"]
    assert [line[3:] for line in report.splitlines() if line.startswith("## ")] == wanted
    assert "**3.000** |" in report, "the lowest validation loss is marked"
    assert report.count("not recorded") >= 3
    for name in ("loss_and_behaviour", "loss_against_behaviour", "entropy_by_step"):
        assert f"(figures/{name}.svg)" in report
        assert (folder / "figures" / f"{name}.svg").is_file()


def test_a_second_run_with_nothing_new_scores_nothing_and_leaves_every_byte(ran):
    folder, run, _ = ran
    before = records(folder)
    done = run("run", "mine", *FEW)
    assert kept(done.stdout) == set(STEPS)
    assert "completing" not in done.stderr
    assert records(folder) == before
    assert run("report", "reports/mine").stdout.strip() == "reports/mine/report.md"
    assert records(folder) == before, "made anew from the records alone"


def test_a_step_that_changed_is_scored_again_and_no_other(run: Run, series: Path):
    arguments = ("run", "mine", *FEW, "--steps", "40,50")
    assert run(*arguments).returncode == 0
    shutil.copy(series / "step_40.pt", series / "step_50.pt")
    assert kept(run(*arguments).stdout) == {40}


def test_a_log_that_grows_beyond_a_step_leaves_its_score_and_one_that_changes_before_it_does_not(
    run: Run, series: Path
):
    arguments = ("run", "mine", *FEW, "--steps", "20,40")
    assert run(*arguments).returncode == 0
    with (series / "train.log").open("a") as file:
        file.write("Step 60/60 | Loss: 2.0\n  [EVAL] Step 60 | Val Loss: 2.5\n")
    assert kept(run(*arguments).stdout) == {20, 40}
    log = (series / "train.log").read_text()
    (series / "train.log").write_text(log.replace("Step 30 | Val Loss: 3.8", "Step 30 | Val Loss: 3.1"))
    assert kept(run(*arguments).stdout) == {20}


def test_a_log_in_bits_per_byte_that_grows_leaves_the_scores_of_earlier_steps(run: Run, series: Path):
    lines = [f"Step {s}/50 | Loss: {5 - s / 20:.4f}\nStep {s} | Validation bpb: {5 - s / 25:.4f}\n" for s in STEPS]
    (series / "train.log").write_text("".join(lines))
    arguments = ("run", "mine", *FEW, "--steps", "20")
    assert run(*arguments).returncode == 0
    (scored,) = (series.parent / "reports" / "mine").glob("*/scorecard.json")
    assert json.loads(scored.read_text())["loss"]["logged_nats"] is not None
    with (series / "train.log").open("a") as file:
        file.write("Step 60/60 | Loss: 2.0\nStep 60 | Validation bpb: 2.5\n")
    assert kept(run(*arguments).stdout) == {20}


def test_bits_per_byte_beside_the_weights_are_the_logged_loss_where_no_log_is(run: Run, series: Path):
    (series / "train.log").unlink()
    (series / "step_20.json").write_text('{"step": 20, "val_bpb": 4.2}')
    assert run("run", "mine", *FEW, "--steps", "20").returncode == 0
    (scored,) = (series.parent / "reports" / "mine").glob("*/scorecard.json")
    logged = json.loads(scored.read_text())["loss"]["logged_nats"]
    assert logged == pytest.approx(4.2 * math.log(2)), "a token of this tokenizer is a byte"


def test_a_checkpoint_that_fails_is_reported_the_others_go_on_and_the_exit_code_is_3(
    run: Run, series: Path, golden_text
):
    (series / "step_30.pt").write_bytes(b"no weights")
    done = run("run", "mine", *FEW, "--steps", "20,30,40")
    assert done.returncode == 3
    assert rows(done.stdout) == {20: "scored", 30: "FAILED", 40: "scored"}
    report = (series.parent / "reports" / "mine" / "report.md").read_text()
    golden_text(lines_with("incomplete", report))
    golden_text(lines_with("step 30 could", report), {"(?<=torch.save: ).*": "<what torch says>"})


def test_checkpoints_that_vanish_meanwhile_are_reported_and_the_others_go_on(series: Path, monkeypatch):
    class Deleting(Silent):
        """Takes the last step away while the first is being scored."""

        def say(self, line):
            if line.startswith("completing") or "completions to make" in line:
                (series / "step_50.pt").unlink(missing_ok=True)

    monkeypatch.chdir(series.parent)
    asked = {"problems": ("mine/own.jsonl",), "samples": 0, "max_new_tokens": 8}
    result = run_series(series, asked, Choice(steps=(40, 50)), Deleting())
    assert list(result.scorecards) == [40]
    assert [failure.step for failure in result.failures] == [50]


def test_one_checkpoint_without_a_log_makes_a_report_that_says_what_is_missing(run: Run, series: Path, golden_text):
    (series / "train.log").unlink()
    manifest = series / "evalharness.toml"
    manifest.write_text(manifest.read_text().replace('path = "train.log"', ""))
    done = run("run", "mine", *FEW, "--last", "1")
    assert done.returncode == 0, done.stderr
    report = (series.parent / "reports" / "mine" / "report.md").read_text()
    golden_text(lines_with("--log", done.stdout))
    golden_text(lines_with("Validation loss: not", report))
    golden_text(lines_with("a rank correlation needs", report))


def test_losses_that_are_not_finite_or_go_backwards_leave_a_report(run: Run, series: Path, golden_text):
    log = "Step 10/50 | Loss: nan\n [EVAL] Step 20 | Val Loss: inf\n [EVAL] Step 10 | Val Loss: 4.0\n"
    (series / "train.log").write_text(log)
    done = run("run", "mine", *FEW, "--last", "2")
    assert done.returncode == 0, done.stderr
    report = (series.parent / "reports" / "mine" / "report.md").read_text()
    golden_text(lines_with("NaN or infinite", report))


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "no/such/folder"),
        ("run", "mine/step_10.pt"),
        ("run", "mine", "--steps", "11"),
        ("run", "empty"),
        ("report", "empty"),
    ],
    ids=" ".join,
)
def test_what_is_no_series_gets_one_clear_line(run: Run, series: Path, arguments, golden_text):
    (series.parent / "empty").mkdir()
    done = run(*arguments)
    assert done.returncode == 2
    golden_text(done.stderr)


def test_frames_have_the_documented_columns_and_one_row_for_each_thing(ran):
    folder, _, _ = ran
    frames = evalharness.load_run(folder)
    assert list(frames.checkpoints["step"]) == list(STEPS)
    assert len(frames.completions) == len(STEPS) * 3 * (1 + 2)
    assert set(frames.completions["decoding"]) == {"greedy", "sampled"}
    assert list(frames.losses.columns) == ["step", "split", "loss_nats", "source", "epoch", "time_s"]
    assert len(frames.losses) == 2 * len(STEPS)
    assert len(frames.row_losses) == 12 * len(STEPS)
    from evalharness.runs import frames as module

    for frame in (frames.completions, frames.losses, frames.entropies, frames.row_losses):
        assert all(f"``{column}``" in (module.__doc__ or "") for column in frame.columns)


def test_the_report_as_plain_text_has_no_markup_left(ran, golden_text):
    _, run, _ = ran
    shown = run("report", "reports/mine", "--plain").stdout
    golden_text(lines_with("Does the behaviour follow", shown))
    assert "**" not in shown
    assert "| ---" not in shown


@pytest.mark.parametrize("name", ["leaky_run", "causal_run", "collapsing_run", "taught_run"])
def test_the_committed_report_of_a_run_is_made_of_its_committed_records(name: str, tmp_path: Path):
    """If it is not: ``python docs/make_examples.py --renew`` writes it again."""
    from evalharness.pipeline import renew_report

    copy = shutil.copytree(example_records(), tmp_path / "reports") / name
    shutil.copytree(EXAMPLES / name, copy, dirs_exist_ok=True)
    before = records(copy)
    renew_report(copy)
    assert records(copy).keys() - {".lock", "report.html"} == before.keys()
    assert (copy / "report.md").read_text() == (EXAMPLES / name / "report.md").read_text()


@pytest.mark.parametrize("name", ["leaky", "causal"])
def test_the_committed_report_of_a_step_is_made_of_its_committed_records(name: str, tmp_path: Path):
    """If it is not: ``python docs/make_examples.py --renew`` writes it again."""
    from evalharness.pipeline import renew_report

    step = shutil.copytree(shipped_records() / name / "step_1000", tmp_path / name / "step_1000")
    committed = EXAMPLES / name / "step_1000"
    (step / "figures").mkdir(exist_ok=True)
    shutil.copy(committed / "figures/passage.svg", step / "figures")
    shutil.copy(shipped_records() / name / "log.jsonl", tmp_path / name)
    assert renew_report(step).path.read_text() == (committed / "report.md").read_text()
    assert (step / "scorecard.json").read_bytes() == (committed / "scorecard.json").read_bytes()


def test_a_choice_counts_back_from_the_last_step():
    from evalharness.models.torch import SeriesStep

    found = [SeriesStep(step, Path(f"step_{step}")) for step in range(100, 1100, 100)]
    assert [s.step for s in Choice(every=3).of(found)] == [100, 400, 700, 1000]
    assert [s.step for s in Choice(every=2, last=4).of(found)] == [800, 1000]


def test_a_run_is_shown_by_its_name_its_steps_and_its_rows(golden_text):
    shown = repr(evalharness.load_run(shipped_records() / "causal"))
    golden_text(shown)
    assert len(shown) < 200


def test_the_kind_of_an_adapter_is_spelt_as_its_paper_does(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 4}')
    facts = facts_of(Manifest(path=None, folder=tmp_path), tmp_path, None)
    assert ("Method", "Adapter", "LoRA") in facts
    assert ("Method", "Rank", "4") in facts


def test_the_model_that_training_starts_from_is_a_fact_of_the_run(tmp_path: Path, golden_text) -> None:
    (tmp_path / "train.log").write_text("Loaded v1 from step 50000\nVal loss: 1.25\nStep 50 | Loss: 0.5\n")
    facts = facts_of(Manifest(path=None, folder=tmp_path), tmp_path, read_logs([tmp_path / "train.log"]))
    (started,) = (value for _, name, value in facts if name == "Starts from")
    golden_text(started)
    assert ("Training", "Last step logged", "50") in facts
