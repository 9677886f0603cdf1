"""Reports of different models never overwrite each other, whatever their files are called."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from golden_text import lines_with
from small_folder import PROBLEMS, Run

FEW = ("--problems", "mine/own.jsonl", "--samples", "0", "--max-new-tokens", "4", "--limit", "1")


def projects(model_folder: Path, *names: str) -> list[Path]:
    """The same small model in folders of other names, each with weights of its own."""
    import torch

    folders = []
    for number, name in enumerate(names):
        folder = model_folder.parent / name
        folder.mkdir(parents=True)
        for file in ("my_model.py", "evalharness.toml", "val.jsonl", "train.log"):
            shutil.copy(model_folder / file, folder)
        state = torch.load(model_folder / "model.pt")
        torch.save({key: value * (1 + number) for key, value in state.items()}, folder / "model.pt")
        folders.append(folder)
    return folders


def fingerprints(reports: Path) -> dict[str, str]:
    cards = reports.rglob("scorecard.json")
    return {str(f.parent.relative_to(reports)): json.loads(f.read_text())["checkpoint"]["fingerprint"] for f in cards}


def test_two_files_of_one_name_get_the_names_of_their_folders(run: Run, model_folder: Path):
    projects(model_folder, "a", "b")
    for path in ("a/model.pt", "b/model.pt"):
        done = run("score", path, *FEW)
        assert done.returncode == 0, done.stderr
    assert fingerprints(model_folder.parent / "reports").keys() == {"a/final", "b/final"}


def test_nano_gpts_checkpoints_are_called_as_their_projects(run: Run, model_folder: Path):
    import torch

    for number, folder in enumerate(projects(model_folder, "poems/out", "plays/out")):
        state = torch.load(folder / "model.pt")
        torch.save({"model": state, "iter_num": 500 + number}, folder / "ckpt.pt")
        (folder / "model.pt").unlink()
        done = run("score", folder / "ckpt.pt", *FEW)
        assert done.returncode == 0, done.stderr
    found = fingerprints(model_folder.parent / "reports")
    assert found.keys() == {"poems/step_500", "plays/step_501"}


def test_a_name_that_is_taken_by_another_model_gets_a_number_and_a_line_that_says_so(
    run: Run, model_folder: Path, golden_text
):
    projects(model_folder, "x/tuned", "y/tuned")
    first = run("score", "x/tuned/model.pt", *FEW)
    second = run("score", "y/tuned/model.pt", *FEW)
    assert "another model" not in first.stderr
    golden_text(lines_with("another model", second.stderr))
    assert "reports/tuned-2/final/report.md" in second.stdout
    found = fingerprints(model_folder.parent / "reports")
    assert found.keys() == {"tuned/final", "tuned-2/final"}
    assert len(set(found.values())) == 2
    again = run("score", "y/tuned/model.pt", *FEW)
    golden_text(lines_with("to make", again.stderr), {r"(?<= on )\w+": "<device>"})
    assert fingerprints(model_folder.parent / "reports") == found


def test_two_runs_of_one_name_are_reported_apart(run: Run, model_folder: Path):
    for number, folder in enumerate(projects(model_folder, "x/tuned", "y/tuned")):
        (folder / "model.pt").rename(folder / f"step_{10 + number}.pt")
        done = run("run", folder, *FEW)
        assert done.returncode == 0, done.stderr
    reports = model_folder.parent / "reports"
    assert fingerprints(reports).keys() == {"tuned/step_10", "tuned-2/step_11"}
    assert (reports / "tuned/report.md").is_file()
    assert (reports / "tuned-2/report.md").is_file()
    assert run("run", "y/tuned", *FEW).stdout.count("\nkept ") == 1


def test_a_step_is_in_one_folder_whether_it_is_named_itself_or_by_its_series(run: Run, model_folder: Path):
    (model_folder / "model.pt").rename(model_folder / "step_10.pt")
    for path in ("mine", "mine/step_10.pt"):
        assert run("score", path, *FEW).returncode == 0
    assert run("run", "mine", *FEW).stdout.count("\nkept ") == 1
    assert fingerprints(model_folder.parent / "reports").keys() == {"mine/step_10"}


@pytest.mark.parametrize("names", [("T0.0_A.jsonl", "T0.0_B.jsonl"), ("a/samples.jsonl", "b/samples.jsonl")])
def test_converted_files_keep_their_names_up_to_their_form_and_share_no_folder(run: Run, model_folder, names):
    for name in names:
        file = model_folder.parent / name
        file.parent.mkdir(exist_ok=True)
        row = {"task_id": PROBLEMS[0]["task_id"], "completion": f"    return '{name}'\n"}
        file.write_text(json.dumps(row) + "\n")
        done = run("convert", name, "--problems", "mine/own.jsonl", "--k", "1")
        assert done.returncode == 0, done.stderr
    expected = {"T0.0_A/final", "T0.0_B/final"} if "T0" in names[0] else {"samples/final", "samples-2/final"}
    assert fingerprints(model_folder.parent / "reports").keys() == expected
