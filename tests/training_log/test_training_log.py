import json
import math
from pathlib import Path

import pytest

from evalharness.errors import LogError
from evalharness.records import LossPoint
from evalharness.training_log import find_logs, logged_validation, read_log

SEED_LOG = Path("../shared/seed/v1_log.jsonl")


def read(tmp_path: Path, name: str, text: str) -> list[tuple[int, str, float]]:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return [(p.step, p.split, p.loss_nats) for p in read_log(tmp_path / name)]


LINES = """\
Starting at 2025-12-10, loss is the mean over tokens
Step   50/20000 | Loss: 0.4205 | LR: 1.00e-05 | 46.0 steps/s
Step  100/20000 | Loss: 1.25e-1 | PPL: 1.13 | LR: 2.00e-05 | 46.0 steps/s
  [EVAL] Step 2000 | Val Loss: 0.2224
  Saved: new best val loss: 0.2224
  [EVAL] Val Loss: 1.25 | Val PPL: 3.5
step 250: train loss 2.5012, val loss 2.6134
iter 260: loss 2.4, time 10.20ms
epoch done, eval_loss=0.75
"""


def test_lines_of_training_loops_are_read_and_a_line_without_a_step_has_that_of_the_line_before(tmp_path):
    assert read(tmp_path, "train.log", LINES) == [
        (50, "train", 0.4205),
        (100, "train", 0.125),
        (2000, "validation", 0.2224),
        (2000, "validation", 1.25),
        (250, "train", 2.5012),
        (250, "validation", 2.6134),
        (260, "train", 2.4),
        (260, "validation", 0.75),
    ]


def test_losses_that_are_no_numbers_are_points_as_well(tmp_path):
    ((_, _, first), (_, _, second)) = read(tmp_path, "log.txt", "Step 1 | Loss: nan\nStep 2 | Loss: inf\n")
    assert math.isnan(first)
    assert second == math.inf


def test_the_source_is_file_and_line(tmp_path):
    (tmp_path / "train.log").write_text("hello\n\nStep 3 | Loss: 1.0\n")
    assert read_log(tmp_path / "train.log") == [LossPoint(3, "train", 1.0, "train.log:3")]


JSONL = [
    {"step": 100, "timestamp": 1.7e9, "train_loss": 8.28, "train_ppl": 3944.3, "lr": 1e-5, "grad_norm": 1.9},
    {"step": 500, "timestamp": 1.7e9, "train_loss": 4.37},
    {"step": 500, "timestamp": 1.7e9, "val_loss": 3.8, "val_ppl": 45.1},
    {"_step": 600, "eval_loss": 3.5, "loss": 3.6},
    {"step": 700, "train_loss": None, "val_loss": True},
    {"train_loss": 1.0},
    {"step": True, "train_loss": 1.0},
    [1],
]


def test_rows_of_jsonl_are_read_with_the_same_step_in_both_kinds(tmp_path):
    assert read(tmp_path, "log.jsonl", "".join(json.dumps(row) + "\n" for row in JSONL)) == [
        (100, "train", 8.28),
        (500, "train", 4.37),
        (500, "validation", 3.8),
        (600, "train", 3.6),
        (600, "validation", 3.5),
    ]


def test_a_torn_last_line_of_a_log_that_is_being_written_is_left_out(tmp_path):
    assert read(tmp_path, "a.jsonl", '{"step": 1, "loss": 2.0}\n{"step": 2, "lo') == [(1, "train", 2.0)]


def test_a_step_that_is_no_number_is_no_point(tmp_path):
    assert read(tmp_path, "a.jsonl", '{"step": NaN, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n') == [(2, "train", 1.0)]


def test_the_mean_of_the_run_in_a_trainer_state_is_no_point(tmp_path):
    history = [
        {"epoch": 0.1, "loss": 2.5, "learning_rate": 1e-4, "step": 10},
        {"epoch": 0.1, "eval_loss": 2.4, "eval_runtime": 1.0, "step": 10},
        {"epoch": 1.0, "step": 20, "total_flos": 1e9, "train_loss": 2.2, "train_runtime": 9.0},
    ]
    assert read(tmp_path, "trainer_state.json", json.dumps({"log_history": history})) == [
        (10, "train", 2.5),
        (10, "validation", 2.4),
    ]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"log_history": 3}', '{"log_history": [3]}'])
def test_json_that_is_no_trainer_state_is_one_line(tmp_path, text):
    with pytest.raises(LogError, match=r"trainer_state\.json: not a trainer state") as raised:
        read(tmp_path, "trainer_state.json", text)
    assert "\n" not in str(raised.value)


def test_a_missing_log_and_one_without_losses_are_errors(tmp_path):
    with pytest.raises(LogError, match="can't be read"):
        read_log(tmp_path / "none.log")
    with pytest.raises(LogError, match="no losses found"):
        read(tmp_path, "train.log", "nothing here\n")


def test_logs_are_found_under_their_usual_names(tmp_path):
    for name in ("train.log", "trainer_state.json", "notes.log"):
        (tmp_path / name).write_text("")
    assert [file.name for file in find_logs(tmp_path)] == ["trainer_state.json", "train.log"]


def test_the_logged_validation_loss_is_that_of_the_step_or_the_last():
    points = [
        LossPoint(1, "validation", 3.0, "a:1"),
        LossPoint(2, "train", 2.0, "a:2"),
        LossPoint(2, "validation", 2.5, "a:3"),
        LossPoint(2, "validation", 2.4, "a:4"),
        LossPoint(3, "validation", 2.2, "a:5"),
    ]
    assert logged_validation(points, 2) == points[3]
    assert logged_validation(points, None) == points[4]
    assert logged_validation(points, 9) is None
    assert logged_validation([], None) is None


def test_a_real_log_is_read_whole():
    if not SEED_LOG.is_file():
        pytest.skip(f"needs {SEED_LOG}, which lies beside the repository only where it is developed")
    points = read_log(SEED_LOG)
    rows = [json.loads(line) for line in SEED_LOG.read_text().splitlines()]
    assert len(points) == len(rows)
    assert [p.loss_nats for p in points] == [row.get("train_loss", row.get("val_loss")) for row in rows]
    assert {p.split for p in points} == {"train", "validation"}
    assert points[0] == LossPoint(100, "train", 8.280032386779785, "v1_log.jsonl:1")
