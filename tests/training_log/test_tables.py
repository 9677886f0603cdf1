import math

import pytest
from log_files import notes, read, written

from evalharness.errors import LogError
from evalharness.training_log import read_log, read_logs

LIGHTNING = """\
epoch,lr-AdamW,step,train_loss_epoch,train_loss_step,val_loss
,0.001,0,,,
0,,9,,4.0,
0,,9,,,3.5
0,,9,4.4,,
1,,19,,2.0,
1,,19,,,NaN
"""


def test_sparse_cells_of_lightning_are_read_with_their_epochs(tmp_path):
    assert read(tmp_path, "metrics.csv", LIGHTNING.replace("NaN", "2.5")) == [
        (9, "train", 4.0),
        (9, "validation", 3.5),
        (19, "train", 2.0),
        (19, "validation", 2.5),
    ]
    assert [p.epoch for p in read_log(tmp_path / "metrics.csv")] == [0, 0, 1, 1]


def test_a_loss_that_is_no_number_is_kept_and_told_of(tmp_path, golden_text):
    log = read_logs([written(tmp_path, "metrics.csv", LIGHTNING)])
    assert math.isnan(log.points[-1].loss_nats)
    golden_text(log.notes)


WANDB_CHART = """\
"Step","run-7 - _step","run-7 - _step__MIN","run-7 - train/loss","run-7 - train/loss__MIN","run-7 - train/loss__MAX"
"10","10","10","2.5","2.5","2.5"
"20","20","20","2.25","2.25","2.25"
"""
WANDB_HISTORY = """\
_step,_timestamp,train/loss,eval/loss,train/global_step
0,1700000000.5,2.5,,10
1,1700000001.5,,2.75,10
"""
MLFLOW = """\
run_id,key,value,step,timestamp
abc,train_loss,2.5,10,1700000000500
abc,lr,0.1,10,1700000000500
abc,eval/loss,2.75,10,1700000000501
"""
SEMICOLONS = "Iteration;Train Loss;Validation Loss\n1,000;2.5;2.75\n"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("wandb_export.csv", WANDB_CHART, [(10, "train", 2.5), (20, "train", 2.25)]),
        ("history.csv", WANDB_HISTORY, [(10, "train", 2.5), (10, "validation", 2.75)]),
        ("metrics.csv", MLFLOW, [(10, "train", 2.5), (10, "validation", 2.75)]),
        ("table.txt", SEMICOLONS, [(1000, "train", 2.5), (1000, "validation", 2.75)]),
        ("a.tsv", "\nstep\tloss\n3\t1.5\n", [(3, "train", 1.5)]),
        ("run-x-tag-eval_loss.csv", "Wall time,Step,Value\n1700000000.5,10,2.75\n", [(10, "validation", 2.75)]),
    ],
)
def test_exports_of_other_tools_are_read(tmp_path, name, text, expected):
    assert read(tmp_path, name, text) == expected


@pytest.mark.parametrize("text", [WANDB_HISTORY, MLFLOW])
def test_times_are_seconds_whether_they_were_milliseconds_or_not(tmp_path, text):
    assert read_log(written(tmp_path, "a.csv", text))[0].time_s == 1_700_000_000.5


def test_the_source_is_the_line_that_an_editor_shows(tmp_path):
    (point,) = read_log(written(tmp_path, "a.csv", "\n\nstep,loss\n1,\n2,1.5\n"))
    assert point.source == "a.csv:5"


def test_the_last_cell_of_a_row_that_is_being_written_is_left_out_and_told_of(tmp_path, golden_text):
    torn = "step,train_loss,val_loss\n1,2.5,\n2,2.25,2.7"
    assert read(tmp_path, "a.csv", torn) == [(1, "train", 2.5), (2, "train", 2.25)]
    golden_text(notes(tmp_path, "a.csv", torn))
    assert not notes(tmp_path, "a.csv", torn + "5\n")


def test_a_table_of_one_value_whose_name_is_no_loss_has_none(tmp_path, golden_text):
    with pytest.raises(LogError) as error:
        read(tmp_path, "accuracy.csv", "Wall time,Step,Value\n1700000000.5,10,2.75\n")
    golden_text(error)


def test_a_loss_of_a_validation_set_by_name_is_not_taken_for_the_validation_loss(tmp_path):
    text = "step,loss,eval_wiki_loss\n1,2.5,9.5\n"
    assert read(tmp_path, "a.csv", text) == [(1, "train", 2.5)]
    (note,) = notes(tmp_path, "a.csv", text)
    assert "eval_wiki_loss" in note
