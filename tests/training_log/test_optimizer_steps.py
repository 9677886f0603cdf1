"""A log that counts iterations is read by steps of the optimizer, by which checkpoints are named."""

import pytest

from evalharness.training_log import LogKeys, logged_validation, read_logs

HYPERPARAMETERS = """\
devices: {devices}
num_nodes: 1
train:
  global_batch_size: {size}
  micro_batch_size: 4
"""


def finetuned(folder, per_step: int):
    """litgpt's table after 4 steps: an iteration each row, and a validation after every second step."""
    rows = ["epoch,iter,iter_time,learning_rate,loss,step,tokens,total_tokens,val_loss,val_ppl"]
    for iteration in range(1, 4 * per_step + 1):
        rows.append(f"0,{iteration},0.7,0.001,{7 - iteration / 8},{iteration},9,9,,")
        if iteration % (2 * per_step) == 0:
            rows.append(f",,,,,{iteration},,,{7.5 - iteration / 8},9.0")
    return written(folder / "logs" / "csv" / "version_0" / "metrics.csv", rows)


def pretrained(folder, per_step: int):
    """The same of a training from scratch: its logger counts from 0, and a row is a step of the optimizer."""
    rows = ["epoch,iter,iter_time,loss,step,tokens,val_loss"]
    for iteration in range(per_step, 4 * per_step + 1, per_step):
        rows.append(f"0,{iteration},0.7,{7 - iteration / 8},{iteration - 1},9,")
        if iteration % (2 * per_step) == 0:
            rows.append(f",,,,{iteration - 1},,{7.5 - iteration / 8}")
    return written(folder / "logs" / "csv" / "version_0" / "metrics.csv", rows)


def printed(folder, per_step: int, loss: str = "loss train:"):
    """The console, kept in a file beside nothing."""
    rows = ["{'devices': 1,", " 'train': {'global_batch_size': 8}}"]
    for iteration in range(1, 4 * per_step + 1):
        step = iteration // per_step
        rows.append(f"Epoch 1 | iter {iteration} step {step} | {loss} {7 - iteration / 8}, val: n/a")
        if iteration % (2 * per_step) == 0:
            rows.append(f"iter {iteration}: val loss {7.5 - iteration / 8}, val time: 9.1 ms")
    return written(folder / "out.log", rows)


def printed_by_a_fork(folder, per_step: int):
    return printed(folder, per_step, "loss:")


def written(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


def hyperparameters(folder, size: int, devices: object = 1):
    return written(folder / "final" / "hyperparameters.yaml", [HYPERPARAMETERS.format(size=size, devices=devices)])


@pytest.mark.parametrize("log_of", [finetuned, pretrained, printed, printed_by_a_fork])
@pytest.mark.parametrize("per_step", [1, 2, 3])
def test_litgpts_iterations_are_read_as_steps_of_the_optimizer(tmp_path, log_of, per_step):
    hyperparameters(tmp_path, 4 * per_step)
    log = read_logs([log_of(tmp_path, per_step)])
    for step in (2, 4):
        assert logged_validation(log.points, step).loss_nats == 7.5 - step * per_step / 8
    trained = {point.step: point.loss_nats for point in log.points if point.split == "train"}
    if log_of is finetuned or log_of is printed_by_a_fork:
        assert trained == {step: 7 - step * per_step / 8 for step in (1, 2, 3, 4)}


def test_batch_sizes_are_those_of_all_devices(tmp_path):
    hyperparameters(tmp_path, 24, devices=3)
    assert {p.step for p in read_logs([finetuned(tmp_path, 2)]).points} == {1, 2, 3, 4}


def test_what_no_file_says_is_asked_for_and_can_be_told(tmp_path):
    path = finetuned(tmp_path, 2)
    asked = read_logs([path])
    assert max(point.step for point in asked.points) == 8
    assert any("iterations_per_step" in note for note in asked.notes)
    told = read_logs([path], LogKeys(iterations_per_step=2))
    assert max(point.step for point in told.points) == 4
    hyperparameters(tmp_path, 8, devices="auto")
    assert read_logs([path]).points == asked.points


def test_an_iteration_of_an_epoch_beside_a_step_is_no_part_of_it(tmp_path):
    rows = [f"iter {at % 10 + 1} step {at} loss {5 - at / 20}" for at in range(1, 40)]
    assert not any("iterations" in note for note in read_logs([written(tmp_path / "a.log", rows)]).notes)
