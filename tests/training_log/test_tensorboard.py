import math
from pathlib import Path

import pytest

from evalharness.errors import LogError
from evalharness.records import LossPoint
from evalharness.training_log import LogKeys, event_runs, find_logs, read_folder, read_log, read_logs, tensorboard

pytest.importorskip("tensorboard")


NAMES = {r"tfevents\.\S+[^:\s]": "tfevents.<time and host>"}
"""What differs from run to run in the names that TensorBoard gives its files."""


def events(folder: Path, losses: dict[int, float], *, start_s: float = 1.7e9) -> Path:
    from torch.utils.tensorboard import SummaryWriter

    before = set(folder.rglob("*tfevents*"))
    with SummaryWriter(folder, filename_suffix=f".{start_s}") as writer:
        for step, loss in losses.items():
            writer.add_scalar("train/loss", loss, step, walltime=start_s + step)
            writer.add_scalar("train/epoch", step / 100, step, walltime=start_s + step)
            writer.add_scalar("train/learning_rate", 0.1, step)
        writer.add_scalar("eval/loss", 2.75, max(losses), new_style=True, walltime=start_s + max(losses))
        writer.add_scalar("train/train_loss", 9.0, max(losses))
    (file,) = set(folder.rglob("*tfevents*")) - before
    return file


def test_scalars_are_read_as_values_and_as_tensors_with_their_times_and_epochs(tmp_path):
    file = events(tmp_path, {10: 2.5, 20: 2.25})
    assert read_log(file) == [
        LossPoint(10, "train", 2.5, f"{file.name}:train/loss", pytest.approx(0.1), 1.7e9 + 10),
        LossPoint(20, "train", 2.25, f"{file.name}:train/loss", pytest.approx(0.2), 1.7e9 + 20),
        LossPoint(20, "validation", 2.75, f"{file.name}:eval/loss", pytest.approx(0.2), 1.7e9 + 20),
    ]


def test_a_restarts_file_counts_for_the_steps_that_it_repeats(tmp_path):
    first = events(tmp_path, {10: 2.5, 20: 2.25, 30: 9.0, 40: 9.0})
    second = events(tmp_path, {30: 2.0, 40: 1.5}, start_s=1.7e9 + 1000)
    # In whichever order they are named: their times tell.
    for files in ([first, second], [second, first]):
        train = [(p.step, p.loss_nats) for p in read_logs(files).points if p.split == "train"]
        assert train == [(10, 2.5), (20, 2.25), (30, 2.0), (40, 1.5)]


def test_a_file_that_is_being_written_is_read_as_far_as_it_is_whole(tmp_path, golden_text):
    file = events(tmp_path, dict.fromkeys(range(50), 2.5))
    whole = len(read_log(file))
    file.write_bytes(file.read_bytes()[:-200])
    log = read_logs([file])
    assert 40 < len(log.points) < whole
    golden_text(log.notes, NAMES | {r"\d+ bytes": "<n> bytes"})


def test_a_loss_that_is_no_number_is_a_point(tmp_path):
    assert math.isnan(read_log(events(tmp_path, {1: math.nan}))[0].loss_nats)


def test_files_are_found_where_trainers_write_them(tmp_path):
    file = events(tmp_path / "runs" / "Dec10_host", {1: 2.5})
    assert find_logs(tmp_path) == [file]
    (tmp_path / "train.log").write_text("Step 1 | Loss: 2.5\n")
    assert find_logs(tmp_path) == [tmp_path / "train.log"], "the same run in another form is not read again"


def test_event_files_of_several_folders_are_several_runs(tmp_path, golden_text):
    events(tmp_path / "runs" / "a", {10: 2.5, 20: 2.25})
    events(tmp_path / "runs" / "b", {10: 3.5, 20: 3.25}, start_s=1.7e9 + 1000)
    events(tmp_path / "runs" / "b", {20: 3.0, 30: 2.0}, start_s=1.7e9 + 2000)
    runs = {run: read_folder(tmp_path, LogKeys(run=run)).points for run in ("a", "b")}
    assert [p.loss_nats for p in runs["a"] if p.split == "train"] == [2.5, 2.25]
    assert [p.loss_nats for p in runs["b"] if p.split == "train"] == [3.5, 3.0, 2.0], "those of one folder are restarts"
    for keys in (LogKeys(), LogKeys(run="c")):
        with pytest.raises(LogError) as error:
            read_folder(tmp_path, keys)
        golden_text(error, NAMES)


def test_only_event_files_in_several_folders_are_told_apart(tmp_path):
    a, b = tmp_path / "a" / "events.out.tfevents.1", tmp_path / "b" / "events.out.tfevents.2"
    assert event_runs([a, b]) == {"a": [a], "b": [b]}
    assert event_runs([a, tmp_path / "train.log"]) == event_runs([]) == {}


def test_without_tensorboard_none_is_found_and_one_that_is_named_says_what_it_needs(tmp_path, monkeypatch, golden_text):
    file = events(tmp_path, {1: 2.5})
    monkeypatch.setattr(tensorboard, "can_read", lambda: False)
    assert find_logs(tmp_path) == []
    with pytest.raises(LogError) as error:
        read_log(file)
    golden_text(error, NAMES)


def test_of_several_tags_for_one_loss_the_most_telling_is_read(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        for tag, loss in (("train_loss_epoch", 9.0), ("train_loss_step", 2.5), ("val_loss", 2.75)):
            writer.add_scalar(tag, loss, 5)
    assert [p.loss_nats for p in read_log(next(tmp_path.glob("*tfevents*")))] == [2.5, 2.75]


def test_a_file_that_is_not_there_is_one_line(tmp_path, golden_text):
    with pytest.raises(LogError) as error:
        read_log(tmp_path / "events.out.tfevents.0")
    golden_text(error, NAMES)


def test_a_file_without_losses_is_one_line(tmp_path, golden_text):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("accuracy", 0.5, 1)
    with pytest.raises(LogError) as error:
        read_log(next(tmp_path.glob("*tfevents*")))
    golden_text(error, NAMES)
