"""``evalharness watch`` beside a training that writes its checkpoints slowly."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from signals import started
from small_folder import Run

from evalharness.pipeline import watch
from evalharness.pipeline.watching import PacedReports

FEW = ("--problems", "mine/own.jsonl", "--samples", "0", "--max-new-tokens", "8")

TRAINING = """
import shutil, time
whole = open("mine/model.pt", "rb").read()
for step in (10, 20):
    with open(f"mine/step_{step}.pt", "wb") as file:
        for begin in range(0, len(whole), len(whole) // 4 + 1):  # half written most of the time
            file.write(whole[begin : begin + len(whole) // 4 + 1])
            file.flush()
            time.sleep(0.7)
"""


def test_checkpoints_are_scored_once_they_are_whole_and_never_before(run: Run, model_folder: Path):
    training = subprocess.Popen([sys.executable, "-c", TRAINING], cwd=model_folder.parent)
    done = run("watch", "mine", *FEW, "--settle", "2", "--idle", "12")
    assert training.wait() == 0
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == ["10", "20"]
    assert "FAILED" not in done.stdout, "none was read half written"
    assert (model_folder.parent / "reports" / "mine" / "report.md").is_file()
    again = run("watch", "mine", *FEW, "--settle", "0.1", "--idle", "1")
    assert again.stdout.splitlines()[-1].startswith("kept     10, 20"), "a watch that is started again scores nothing"


def test_ctrl_c_ends_it_with_everything_kept(model_folder: Path):
    (model_folder / "model.pt").rename(model_folder / "step_10.pt")
    command = [sys.executable, "-m", "evalharness", "watch", "mine", *FEW, "--settle", "0.1"]
    process = started(command, cwd=model_folder.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(3)][-1].split()[0] == "10"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert (model_folder.parent / "reports" / "mine" / "step_10" / "scorecard.json").is_file()


def test_a_checkpoint_that_was_broken_is_tried_again_once_it_is_written_anew(model_folder: Path, monkeypatch):
    monkeypatch.chdir(model_folder.parent)
    whole = (model_folder / "model.pt").read_bytes()
    broken = model_folder / "step_10.pt"
    broken.write_bytes(b"no weights")
    asked = {"problems": ("mine/own.jsonl",), "samples": 0, "max_new_tokens": 8}
    found = []
    for result in watch(model_folder, asked, settle_s=0.0, idle_s=3.0):
        found.append(result)
        broken.write_bytes(whole)
    assert [len(result.failures) for result in found] == [1, 0]
    assert list(found[1].scorecards) == [10]


@pytest.mark.parametrize("folder", ["nowhere", "mine/val.jsonl"])
def test_what_is_no_folder_gets_one_clear_line(run: Run, folder: str, golden_text):
    done = run("watch", folder)
    assert done.returncode == 2
    golden_text(done.stderr)


def test_reports_take_a_small_share_of_the_time_however_many_steps_there_are(tmp_path: Path):
    now, written = [0.0], []
    reports = PacedReports(lambda: now[0])

    def report(steps: int) -> Path:
        now[0] += 0.1 * steps
        written.append(steps)
        return tmp_path

    for step in range(1, 1001):
        now[0] += 10  # a score
        reports.pace(lambda step=step: report(step))
    assert sum(0.1 * steps for steps in written) <= 0.06 * now[0]
    assert len(written) > 10, "it is not forgotten either"
    reports.catch_up(at_once=True)
    reports.catch_up(at_once=True)
    assert written.count(1000) == 1, "the last one is written, once"
