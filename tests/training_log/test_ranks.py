"""Logs to which several processes print."""

import pytest
from log_files import written

from evalharness.errors import LogError
from evalharness.training_log import LogKeys, read_logs

STEPS = (10, 20, 30)


def losses_of(rank: int) -> list[float]:
    return [5.0 - step / 10 + rank / 8 for step in STEPS]


def lines(form: str, ranks: tuple[int, ...], body: str = "step {step} | loss {loss}") -> str:
    """Every step as each rank prints it."""
    return "".join(
        form.format(rank=rank, body=body.format(step=step, loss=5.0 - step / 10 + rank / 8)) + "\n"
        for step in STEPS
        for rank in ranks
    )


def read(folder, text: str, keys: LogKeys = LogKeys()):  # noqa: B008 - frozen
    return read_logs([written(folder, "out.txt", text)], keys)


@pytest.mark.parametrize(
    "form",
    [
        "[rank{rank}]: {body}",
        "[Rank {rank}] {body}",
        "[2026-01-01 00:00:00,000] [INFO] [logging.py:96:log_dist] [Rank {rank}] {body}",
        "rank={rank} {body}",
        "{body} | rank={rank} | lr 0.1",
        "rank {rank}: {body}",
        "[GPU{rank}] {body}",
        "[default{rank}]:{body}",
        "[1,{rank}]<stdout>:{body}",
        "{rank}: {body}",
        " {rank}: {body}",
    ],
)
@pytest.mark.parametrize("body", ["step {step} | loss {loss}", "it {step} | nll {loss}"])
def test_of_several_ranks_rank_0_is_read_and_it_is_said(tmp_path, form, body):
    log = read(tmp_path, lines(form, (1, 0, 2), body))
    assert [(p.step, p.loss_nats) for p in log.points] == list(zip(STEPS, losses_of(0), strict=True))
    assert len(log.notes) == 1


def test_the_only_rank_with_losses_is_read(tmp_path):
    text = "[rank0]: started\n" + lines("[rank3]: {body}", (3,))
    assert [p.loss_nats for p in read(tmp_path, text).points] == losses_of(3)


def test_ranks_that_print_the_same_are_read_as_one(tmp_path):
    text = "".join(f"[rank{rank}]: step {step} | loss {5 / step}\n" for step in STEPS for rank in (1, 2))
    assert [p.loss_nats for p in read(tmp_path, text).points] == [5 / step for step in STEPS]


def test_ranks_that_disagree_are_asked_for_if_rank_0_is_not_there(tmp_path, golden_text):
    text = lines("[rank{rank}]: {body}", (1, 2))
    with pytest.raises(LogError) as error:
        read(tmp_path, text)
    golden_text(error)
    assert [p.loss_nats for p in read(tmp_path, text, LogKeys(run="rank 2")).points] == losses_of(2)


def test_of_rows_with_a_rank_those_of_rank_0_are_read(tmp_path, golden_text):
    form = '{{"step": {step}, "rank": {rank}, "loss": {loss}}}'
    rows = [
        form.format(step=step, rank=rank, loss=losses_of(rank)[at]) for at, step in enumerate(STEPS) for rank in (0, 1)
    ]
    text = "".join(f"{row}\n" for row in rows)
    assert [p.loss_nats for p in read(tmp_path, text).points] == losses_of(0)
    assert [p.loss_nats for p in read(tmp_path, text, LogKeys(run="rank 1")).points] == losses_of(1)
    with pytest.raises(LogError) as error:
        read(tmp_path, text.replace('"rank": 0', '"rank": 2'))
    golden_text(error)


@pytest.mark.parametrize(
    "line",
    [
        "{step}: train loss {loss}",
        "step {step} | loss {loss} | effective rank: {step}",
        "step {step} | loss {loss} | lora rank {step}",
    ],
)
def test_a_step_or_a_matrix_rank_is_no_process(tmp_path, line):
    text = "".join(line.format(step=step, loss=loss) + "\n" for step, loss in zip(STEPS, losses_of(0), strict=True))
    assert [p.loss_nats for p in read(tmp_path, text).points] == losses_of(0)


def test_epochs_before_the_lines_are_no_processes(tmp_path):
    text = "".join(f"{epoch}: step {step} loss {5 - epoch}\n" for epoch in (0, 1) for step in STEPS)
    assert {p.loss_nats for p in read(tmp_path, text).points} == {4.0}, "read as a restart, each epoch's steps again"
