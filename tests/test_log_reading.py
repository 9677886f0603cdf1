from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from shared_data import shared_or_skip

from evalharness.commands.group import cli
from evalharness.commands.log import ROWS, read_losses
from evalharness.diagnosis import Split, TokenRow
from evalharness.errors import LogError
from evalharness.pipeline.loading import in_nats, read_choice
from evalharness.pipeline.measuring import log_as_read
from evalharness.progress import Silent
from evalharness.records import LogChoice, LossPoint
from evalharness.settings.manifest import LogSettings
from evalharness.training_log import read_log


def log_of(tmp_path: Path, steps: int, *, every: int = 50) -> Path:
    """A log in the form of a real one: a training loss each step, and a validation loss at some of them."""
    rows: list[dict[str, float]] = []
    for step in range(100, 100 * steps + 1, 100):
        rows.append({"step": step, "timestamp": 1.7e9 + step, "train_loss": 3.0 - step / 1e6, "lr": 1e-5})
        if step % (100 * every) == 0:
            rows.append({"step": step, "timestamp": 1.7e9 + step, "val_loss": 3.5 - step / 1e6, "val_ppl": 9.0})
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def shown(*arguments: object) -> str:
    result = CliRunner().invoke(cli, ["log", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_table_has_a_row_for_each_step_and_marks_the_best(tmp_path):
    lines = shown(log_of(tmp_path, 4, every=2)).splitlines()
    assert lines[0].split() == ["step", "time_s", "train", "validation", "read", "from"]
    assert lines[2].split()[:6] == ["200", "2023-11-14", "22:16:40", "2.9998", "3.4998", "log.jsonl:2,"]
    assert [line.endswith("(best)") for line in map(str.rstrip, lines[1:])].index(True) == 3


def test_a_long_log_is_shown_in_part_and_whole_where_that_is_asked_for(tmp_path, golden_text):
    path = log_of(tmp_path, 500)
    part = shown(path).splitlines()
    assert len(part) <= ROWS + 2
    golden_text(part[-1].strip())
    assert sum("3.4" in line for line in part) == 10, "every validation loss is among them"
    assert len(shown(path, "--all").splitlines()) == 501


def test_json_is_read_as_the_losses_that_it_was_made_from(tmp_path):
    path = tmp_path / "train.log"
    path.write_text("Step 1 | epoch 2 | Loss: 2.5\n [EVAL] Val Loss: nan\nStep 2 | Loss: inf\n")
    again = tmp_path / "again.jsonl"
    again.write_text(shown(path, "--json"))
    assert all(json.loads(line, parse_constant=pytest.fail) for line in again.read_text().splitlines())
    first, second, third = read_log(again)
    assert (first.step, first.split, first.loss_nats, first.epoch) == (1, "train", 2.5, 2.0)
    assert (second.step, second.split, math.isnan(second.loss_nats)) == (1, "validation", True)
    assert (third.step, third.loss_nats) == (2, math.inf)


def test_how_it_was_read_is_said_on_stderr(tmp_path):
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_text("Step 1 | Loss: 2.5\nStep 2 | Loss: 9\n")
    second.write_text("Step 2 | Loss: nan\n")
    said = CliRunner().invoke(cli, ["log", str(first), str(second)]).stderr.splitlines()
    assert said == [
        f"{first}: 2 losses, read as lines of a training loop",
        "  step: step (1, 2): by its name",
        "  train: loss (2.5, 9): by its name",
        f"{second}: 1 losses, read as lines of a training loop",
        "  step: step (2): by its name",
        "  train: loss (nan): by its name",
        "1 losses were logged again after a restart: the later ones count",
        "1 loss is NaN or infinite, the first at step 2 (b.log:1)",
    ]


def test_small_losses_are_seen(tmp_path):
    path = tmp_path / "train.log"
    path.write_text("Step 1 | Val Loss: 4.9e-7\nStep 2 | Val Loss: 0\n")
    assert "4.9e-07" in shown(path)
    assert "0.0000" in shown(path)


def test_a_folder_is_looked_through_and_stands_alone(tmp_path, golden_text):
    path = log_of(tmp_path, 3)
    assert len(read_losses([tmp_path], Silent()).log.points) == 3
    with pytest.raises(LogError) as error:
        read_losses([tmp_path, path], Silent())
    golden_text(error)


@pytest.mark.parametrize("text", ["nothing\n", None])
def test_a_log_that_can_not_be_read_does_not_stop_a_score_and_is_told_of(tmp_path, text):
    path = tmp_path / "mine.log"
    if text is not None:
        path.write_text(text)
    said: list[str] = []
    watcher = Silent()
    watcher.say = said.append
    choice = LogChoice((str(path),), "named")
    assert read_choice(choice, LogSettings(), watcher) is None
    assert len(said) == 1
    assert str(path) in said[0]
    assert log_as_read(choice, ()) == replace(choice, relation="unreadable")
    assert log_as_read(choice, [LossPoint(1, "train", 2.5, "a")]) == choice


def test_the_manifest_says_which_columns_count(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,loss\n1,10,2.5\n2,20,2.25\n")
    assert isinstance(CliRunner().invoke(cli, ["log", str(tmp_path / "a.csv")]).exception, LogError)
    (tmp_path / "evalharness.toml").write_text('[log]\nstep = "b"\n')
    assert [json.loads(line)["step"] for line in shown(tmp_path / "a.csv", "--json").splitlines()] == [10, 20]


def test_one_of_several_runs_is_shown_by_its_name(tmp_path):
    (tmp_path / "a.csv").write_text("run_id,step,loss\nx,1,2.5\ny,1,3.5\n")
    (line,) = shown(tmp_path / "a.csv", "--run", "y", "--json").splitlines()
    assert json.loads(line)["loss_nats"] == 3.5


def test_a_real_log_is_shown(tmp_path, golden_text):
    seed_log = shared_or_skip("seed/v1_log.jsonl")
    copy = shutil.copy(seed_log, tmp_path)
    golden_text(shown(copy).splitlines()[-1].strip())
    assert len(shown(copy, "--json").splitlines()) == 600


class Letters:
    """Each id is a letter, but for 0, which is none."""

    def decode(self, ids):
        return "".join("" if i == 0 else "é" for i in ids)


def test_bits_per_byte_are_converted_by_the_bytes_of_a_token_in_the_data(tmp_path):
    path = tmp_path / "train.log"
    path.write_text("step 1 | loss: 2.5\nstep 1 | validation bpb: 1.5\nstep 2 | loss: 2.25\n")
    choice, told = LogChoice((str(path),), "named"), Told()
    log = read_choice(choice, LogSettings(), Silent())
    assert log.in_bits_per_byte == ("validation bpb",)
    rows = Split((), (TokenRow((5, 6, 7, 0), 1), TokenRow((5, 6), 1)), "val.jsonl")
    checkpoint = SimpleNamespace(tokenizer=Letters(), end_token_ids=(0,))
    settings = in_nats(log, LogSettings(), checkpoint, rows, told)
    converted = read_choice(choice, settings, Silent())
    (point,) = [p for p in converted.points if p.split == "validation"]
    assert point.loss_nats == pytest.approx(1.5 * math.log(2) * 2)
    assert any("2.000" in line and "val.jsonl" in line for line in told.lines)
    assert in_nats(log, LogSettings(), checkpoint, None, Silent()) == LogSettings()


class Told(Silent):
    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)
