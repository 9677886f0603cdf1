import json
from pathlib import Path

import pytest
from log_files import written

from evalharness.errors import LogError
from evalharness.training_log import find_logs, read_folder, read_logs

LINE = "Step 1 | Loss: 2.5\n"


def found(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_logs(folder)]


def test_a_file_for_each_restart_is_found_in_its_order(tmp_path):
    for name in ("train.log", "train_10.log", "train_2.log", "train.restart1.log", "train_x.log", "trained_3.log"):
        written(tmp_path, name, LINE)
    assert found(tmp_path) == ["train.log", "train.restart1.log", "train_2.log", "train_10.log"]


def test_the_last_checkpoints_state_has_the_whole_history(tmp_path):
    for step in (500, 1000, 9):
        written(tmp_path, f"checkpoint-{step}/trainer_state.json", "{}")
    assert found(tmp_path) == ["checkpoint-1000/trainer_state.json"]


def test_of_lightnings_versions_the_last_is_the_run(tmp_path):
    for version in (0, 2, 10):
        written(tmp_path, f"lightning_logs/version_{version}/metrics.csv", "step,loss\n1,2.5\n")
    assert found(tmp_path) == ["lightning_logs/version_10/metrics.csv"]


def test_a_folder_without_logs_and_one_that_is_not_there_have_none(tmp_path, golden_text):
    written(tmp_path, "notes.txt", LINE)
    assert found(tmp_path) == []
    assert find_logs(tmp_path / "none") == []
    with pytest.raises(LogError) as error:
        read_folder(tmp_path)
    golden_text(error)


def test_a_log_that_was_found_and_can_not_be_read_does_not_stop_the_others(tmp_path, golden_text):
    written(tmp_path, "train.log", LINE)
    written(tmp_path, "log.txt", "")
    log = read_folder(tmp_path)
    assert [p.loss_nats for p in log.points] == [2.5]
    assert log.notes == (f"{tmp_path / 'log.txt'}: the file is empty",)
    (tmp_path / "train.log").write_text("nothing\n")
    with pytest.raises(LogError) as error:
        read_folder(tmp_path)
    golden_text(error)


def test_files_of_several_forms_are_one_run(tmp_path, golden_text):
    first = written(tmp_path, "a.log", "Step 1 | Loss: 2.5\nStep 2 | Loss: 9\n")
    second = written(tmp_path, "b.jsonl", json.dumps({"step": 2, "loss": 2.25, "val_loss": 2.75}) + "\n")
    log = read_logs([first, second, first])
    assert [(p.step, p.loss_nats) for p in log.points] == [(1, 2.5), (2, 2.25), (2, 2.75)]
    assert [file.form for file in log.files] == ["lines of a training loop", "JSONL rows"]
    with pytest.raises(LogError) as error:
        read_logs([])
    golden_text(error)


@pytest.mark.parametrize("name", ["v1_log.jsonl", "run_metrics.csv", "my_losses.csv", "logs/train.log"])
def test_a_log_is_found_where_projects_put_it(tmp_path, name):
    written(tmp_path, name, LINE)
    assert found(tmp_path) == [name]


def test_of_several_logs_under_names_of_ones_own_none_is_taken(tmp_path):
    for name in ("v1_log.jsonl", "v2_log.jsonl"):
        written(tmp_path, name, LINE)
    assert found(tmp_path) == []


@pytest.mark.parametrize("name", ["finetune.log", "slurm-4711.out", "console.txt", "logs/run7.log"])
def test_the_output_of_a_console_is_a_log_if_it_speaks_of_a_loss(tmp_path, name):
    written(tmp_path, "install.log", "Collecting torch 2.13.0\n")
    written(tmp_path, name, "arguments: {'eval_steps': 100}\n" + LINE)
    assert found(tmp_path) == [name]


def test_of_two_loggers_of_lightning_none_is_taken(tmp_path):
    for name in ("logs/first/version_0/metrics.csv", "logs/second/version_0/metrics.csv"):
        written(tmp_path, name, "step,loss\n1,2.5\n")
    assert found(tmp_path) == []
    written(tmp_path, "lightning_logs/version_3/metrics.csv", "step,loss\n1,2.5\n")
    assert found(tmp_path) == ["lightning_logs/version_3/metrics.csv"]
