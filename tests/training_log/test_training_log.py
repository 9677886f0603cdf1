import gzip
import json
import math

import pytest
from log_files import notes, read
from shared_data import shared_or_skip

from evalharness.errors import LogError
from evalharness.records import LossPoint
from evalharness.training_log import find_logs, logged_validation, read_log, read_logs

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


def test_an_evaluation_over_many_batches_counts_more_than_one_batch_of_the_same_step(tmp_path):
    text = "step 50: train loss 2.3245, val loss 2.4000\niter 50: loss 2.9000, time 1ms\niter 51: loss 2.8, time 1ms\n"
    assert read(tmp_path, "train.log", text) == [(50, "train", 2.3245), (50, "validation", 2.4), (51, "train", 2.8)]
    assert read_logs([tmp_path / "train.log"]).notes == ()


def test_losses_that_are_no_numbers_are_points_as_well(tmp_path):
    ((_, _, first), (_, _, second)) = read(tmp_path, "log.txt", "Step 1 | Loss: nan\nStep 2 | Loss: inf\n")
    assert math.isnan(first)
    assert second == math.inf


def test_the_source_is_file_and_line(tmp_path):
    (tmp_path / "train.log").write_text("hello\n\nStep 3 | Loss: 1.0\n")
    assert read_log(tmp_path / "train.log") == [LossPoint(3, "train", 1.0, "train.log:3")]


FORMS_OF_LINES = """\
2025-12-10 12:00:00,500 INFO epoch 3 global_step=1,250 train/loss=2.5 aux_loss: 7.0 closs 8
Iteration [1300/5000], Training Loss: 1e1, Validation Loss = .5
Iteration [1350/5000]
{'loss': 2.25, 'grad_norm': 1.0, 'learning_rate': 0.1, 'epoch': 0.25}
{'eval_loss': 2.0, 'eval_runtime': 0.5, 'epoch': 0.25}
{'train_runtime': 9.1, 'train_loss': 3.0, 'epoch': 1.0}
no loss of 3 was seen; best val loss: 1.0
"""


def test_lines_are_read_as_other_loops_print_them_and_the_mean_of_a_run_is_no_point(tmp_path):
    assert read(tmp_path, "out.txt", FORMS_OF_LINES) == [
        (1250, "train", 2.5),
        (1300, "train", 10.0),
        (1300, "validation", 0.5),
        (1350, "train", 2.25),
        (1350, "validation", 2.0),
    ]
    first, *_, evaluated = read_log(tmp_path / "out.txt")
    assert (first.epoch, first.time_s) == (3.0, 1765368000.5)
    assert (evaluated.epoch, evaluated.time_s) == (0.25, None)


def test_a_number_that_may_be_cut_off_is_left_out_and_told_of(tmp_path):
    torn = "Step 1 | Loss: 2.5\nStep 2 | Loss: 2.2"
    assert read(tmp_path, "train.log", torn) == [(1, "train", 2.5)]
    assert notes(tmp_path, "train.log", torn) == (
        "train.log: the last line has no end, so its last number may be cut off: left out",
    )
    assert read(tmp_path, "train.log", torn + " | LR: 1e")[1] == (2, "train", 2.2)


def test_a_validation_before_the_first_step_is_of_the_base_and_losses_without_any_step_are_refused(
    tmp_path, golden_text
):
    assert read(tmp_path, "train.log", "Val Loss: 9.0\nStep 5 | Loss: 2.5\n") == [(5, "train", 2.5)]
    assert [p.loss_nats for p in read_logs([tmp_path / "train.log"]).base_losses] == [9.0]
    with pytest.raises(LogError) as error:
        read(tmp_path, "train.log", "Loss: 9.0\nLoss: 8.0\n")
    golden_text(error)


HEADER = """\
[CHECKPOINT] Loaded v1 from step 50000
  Val loss: 1.2539

Step    50/20000 | Loss: 0.4205
  [EVAL] Step 100 | Val Loss: 0.4377
"""


def test_a_validation_loss_of_the_model_that_training_starts_from_is_no_point_of_the_run(tmp_path):
    assert read(tmp_path, "train.log", HEADER) == [(50, "train", 0.4205), (100, "validation", 0.4377)]
    (base,) = read_logs([tmp_path / "train.log"]).base_losses
    assert (base.step, base.loss_nats, base.source) == (50_000, 1.2539, "train.log:2")


def test_a_run_that_goes_on_keeps_the_loss_that_it_begins_with(tmp_path):
    resumed = HEADER.replace("50000", "40").replace("v1", "step_40.pt")
    assert read(tmp_path, "train.log", resumed)[0] == (40, "validation", 1.2539)
    evaluated_first = "Step 0 | Val loss: 4.5\nStep 1 | Loss: 4.4\n"
    assert read(tmp_path, "train.log", evaluated_first)[0] == (0, "validation", 4.5)
    only_evaluations = "Step 100 | Val loss: 2.5\nStep 200 | Val loss: 2.0\n"
    assert read(tmp_path, "train.log", only_evaluations) == [(100, "validation", 2.5), (200, "validation", 2.0)]


def test_the_log_of_the_write_up_falls_from_its_first_validation_to_its_last():
    log = read_logs([shared_or_skip("data/logs/seed_header.log")])
    assert [p.loss_nats for p in log.points if p.split == "validation"] == [0.4377, 0.2224]
    assert [(p.step, p.loss_nats) for p in log.base_losses] == [(50_000, 1.2539)]
    assert max(p.step for p in log.points) == 2000


def test_what_a_windows_shell_wrote_is_read(tmp_path):
    (tmp_path / "train.log").write_text("Step 1 | Loss: 2.5\r\n", encoding="utf-16", newline="")
    assert [p.loss_nats for p in read_log(tmp_path / "train.log")] == [2.5]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_packed_log_is_read_as_it_was_before(tmp_path, encoding):
    path = tmp_path / "train.log.gz"
    path.write_bytes(gzip.compress("Step 1 | Loss: 2.5\nStep 2 | Loss: 2.25\n".encode(encoding)))
    assert [(point.step, point.loss_nats) for point in read_log(path)] == [(1, 2.5), (2, 2.25)]


@pytest.mark.parametrize(
    "content", [b"PAR1\x15\x04", gzip.compress(b"Step 1 | Loss: 2.5\n" * 99)[:-20], b"\x1f\x8b\x08\x00"]
)
def test_a_table_in_parquet_and_a_packed_log_that_is_cut_are_refused_in_one_line(tmp_path, content):
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(LogError) as raised:
        read_log(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_form_is_told_by_the_content_whatever_the_name(tmp_path):
    assert read(tmp_path, "train.log", 'starting\n{"step": 1, "loss": 2.5}\n') == [(1, "train", 2.5)]
    assert read(tmp_path, "log.jsonl", "Step 1 | Loss: 2.5\n") == [(1, "train", 2.5)]
    assert read(tmp_path, "state", '{\n "log_history": [\n  {"step": 1, "loss": 2.5}]}') == [(1, "train", 2.5)]


def test_a_form_that_is_not_known_says_which_were_tried(tmp_path, golden_text):
    with pytest.raises(LogError) as raised:
        read(tmp_path, "a.log", '{"step": 1, "accuracy": 2}\n')
    golden_text(raised.value)


def test_an_empty_log_is_one_line(tmp_path, golden_text):
    for text in ("", "\n\n"):
        with pytest.raises(LogError) as error:
            read(tmp_path, "train.log", text)
        golden_text(error)


def test_a_binary_file_is_no_log(tmp_path, golden_text):
    (tmp_path / "model.pt").write_bytes(bytes(range(256)) * 100)
    with pytest.raises(LogError) as error:
        read_log(tmp_path / "model.pt")
    golden_text(error)


JSONL = [
    {"step": 100, "timestamp": 1.7e9, "train_loss": 8.28, "train_ppl": 3944.3, "lr": 1e-5, "grad_norm": 1.9},
    {"step": 500, "timestamp": 1.7e9, "train_loss": 4.37},
    {"step": 500, "timestamp": 1.7e9, "val_loss": 3.8, "val_ppl": 45.1},
    {"_step": 600, "eval_loss": 3.5, "loss": 3.6},
    {"step": 650, "loss": 3.25, "split": "val"},
    {"step": 650, "loss": 9.25, "split": "test"},
    {"_step": 7, "train/global_step": 660, "train/loss": "3.125", "_timestamp": 1.7e9},
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
        (650, "validation", 3.25),
        (660, "train", 3.125),
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


def test_what_a_real_trainer_writes_is_read(tmp_path):
    import torch
    from transformers import Trainer, TrainingArguments

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(2))

        def forward(self, x, labels=None):
            return {"loss": ((x * self.weight).sum(-1) - labels).pow(2).mean(), "logits": x}

    rows = [{"x": torch.tensor([1.0, i]), "labels": torch.tensor(0.5)} for i in range(8)]
    arguments = TrainingArguments(
        tmp_path, max_steps=4, logging_steps=2, eval_strategy="steps", eval_steps=2, save_steps=4,
        per_device_train_batch_size=4, report_to="none", use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    trainer = Trainer(Model(), arguments, train_dataset=rows, eval_dataset=rows)
    trainer.train()
    (path,) = find_logs(tmp_path)
    log = read_logs([path])
    assert [(p.step, p.split, p.epoch) for p in log.points] == [
        (2, "train", 1.0),
        (2, "validation", 1.0),
        (4, "train", 2.0),
        (4, "validation", 2.0),
    ]
    logged = [row.get("loss", row.get("eval_loss")) for row in trainer.state.log_history]
    assert [p.loss_nats for p in log.points] == [loss for loss in logged if loss is not None]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"log_history": 3}', '{"log_history": [3]}'])
def test_json_that_is_no_trainer_state_is_one_line(tmp_path, text, golden_text):
    with pytest.raises(LogError) as raised:
        read(tmp_path, "trainer_state.json", text)
    golden_text(raised)
    assert "\n" not in str(raised.value)


def test_a_missing_log_and_one_without_losses_are_errors(tmp_path, golden_text):
    with pytest.raises(LogError) as error:
        read_log(tmp_path / "none.log")
    golden_text(error)
    with pytest.raises(LogError) as error:
        read(tmp_path, "train.log", "nothing here\n")
    golden_text(error)


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


def logged(split, *steps):
    return [LossPoint(step, split, 2.5, f"a:{step}") for step in steps]


@pytest.mark.parametrize(
    ("points", "step", "found"),
    [
        (logged("train", 9, 19, 49, 99) + logged("validation", 49, 99), 100, 99),
        (logged("train", 9, 19, 49, 99) + logged("validation", 49, 99), 50, 49),
        (logged("train", 49, 99) + logged("validation", 112, 225), 113, 112),
        (logged("train", 0, 49, 99) + logged("validation", 99), 100, 99),
        (logged("train", *range(100)) + logged("validation", 39, 79), 40, 39),
        (logged("train", *range(1, 100)) + logged("validation", 39, 79), 40, None),
        (logged("train", *range(100)) + logged("validation", 39, 79), 60, None),
        (logged("validation", 50, 100), 100, 100),
        (logged("validation", 49, 99, 100), 100, 100),
        (logged("validation", 50, 99), 100, None),
        (logged("train", 50, 100) + logged("validation", 49, 99), 100, None),
        (logged("validation", 0, 1, 2), 3, None),
        (logged("validation", 49, 98), 50, None),
        (logged("validation", 0), 1, None),
    ],
)
def test_a_log_that_counts_from_zero_has_the_loss_one_step_earlier(points, step, found):
    point = logged_validation(points, step)
    assert (None if point is None else point.step) == found


def test_a_real_log_is_read_whole():
    seed_log = shared_or_skip("seed/v1_log.jsonl")
    points = read_log(seed_log)
    rows = [json.loads(line) for line in seed_log.read_text().splitlines()]
    assert len(points) == len(rows)
    assert [p.loss_nats for p in points] == [row.get("train_loss", row.get("val_loss")) for row in rows]
    assert {p.split for p in points} == {"train", "validation"}
    assert points[0] == LossPoint(100, "train", 8.280032386779785, "v1_log.jsonl:1", None, 1765344275.491224)
