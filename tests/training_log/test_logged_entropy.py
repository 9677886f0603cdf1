"""The entropy that reinforcement learning logs, as the trainers name and write it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from log_files import notes, written

from evalharness.training_log import read_log, read_logs

GRPO = [
    {"entropy": 0.9, "epoch": 0.1, "loss": 0.02, "reward": 0.1, "rewards/solved/mean": 0.1, "step": 10},
    {"entropy": 0.5, "epoch": 0.2, "loss": -0.01, "reward": 0.3, "rewards/solved/mean": 0.3, "step": 20},
    {"epoch": 0.2, "eval_loss": 0.01, "eval_reward": 0.2, "eval_rewards/solved/mean": 0.2, "step": 20},
]


def entropies(folder: Path, name: str, text: str) -> list[tuple[int, float]]:
    log = read_logs([written(folder, name, text)])
    assert all(point.split == "train" for point in log.entropies)
    return [(point.step, point.entropy_nats) for point in log.entropies]


def test_a_trainer_state_of_trl_has_entropies_and_its_policy_loss_is_no_loss_of_tokens(tmp_path):
    text = json.dumps({"log_history": GRPO})
    assert entropies(tmp_path, "trainer_state.json", text) == [(10, 0.9), (20, 0.5)]
    assert read_log(tmp_path / "trainer_state.json") == []
    assert any("loss" in note for note in notes(tmp_path, "trainer_state.json", text))


def test_rows_of_jsonl_have_them_with_epoch_and_source(tmp_path):
    rows = [{**row, "time": 1.7e9 + row["step"]} for row in GRPO]
    (first, _) = read_logs([written(tmp_path, "a.jsonl", "".join(json.dumps(r) + "\n" for r in rows))]).entropies
    assert (first.source, first.epoch, first.time_s) == ("a.jsonl:1", 0.1, 1.7e9 + 10)


def test_an_entropy_beside_the_loss_of_the_tokens_leaves_that_a_loss(tmp_path):
    text = '{"step": 1, "loss": 2.5, "entropy": 1.5, "mean_token_accuracy": 0.5}\n'
    assert entropies(tmp_path, "sft.jsonl", text) == [(1, 1.5)]
    assert [(p.step, p.loss_nats) for p in read_log(tmp_path / "sft.jsonl")] == [(1, 2.5)]


def test_a_table_may_have_several_and_one_mean_per_token_counts_more_than_a_sum(tmp_path):
    text = "global_step,train/objective/entropy,train/policy/entropy_avg\n1,48.5,0.75\n2,20.5,0.25\n"
    assert entropies(tmp_path, "wandb.csv", text) == [(1, 0.75), (2, 0.25)]


@pytest.mark.parametrize("name", ["actor/entropy_loss", "actor/entropy"])
def test_the_console_of_verl_is_read(tmp_path, name):
    line = "step:{} - training/global_step:0.000 - {}:{} - actor/pg_loss:0.003 - critic/score/mean:0.1\n"
    text = "".join(line.format(step, name, value) for step, value in ((1, 0.438), (2, 0.4)))
    assert entropies(tmp_path, "train.log", text) == [(1, 0.438), (2, 0.4)]
    assert read_log(tmp_path / "train.log") == []


def test_an_entropy_that_is_logged_as_a_loss_to_be_minimised_has_its_sign_turned(tmp_path):
    assert entropies(tmp_path, "a.csv", "step,train/entropy_loss\n1,-0.75\n") == [(1, 0.75)]


def test_a_cross_entropy_a_coefficient_and_a_number_that_may_be_cut_off_are_none(tmp_path):
    text = "Step 1 | Loss: 2.5 | cross entropy: 2.5 | entropy_coef: 0.01\nStep 2 | Loss: 2.0 | entropy: 1.2"
    assert entropies(tmp_path, "train.log", text) == []


def test_a_restart_repeats_entropies_as_it_does_losses(tmp_path):
    text = "Step 1 | entropy: 3.0 |\nStep 2 | entropy: 2.0 |\nStep 2 | entropy: 9.0 |\nStep 1 | entropy: 4.0 |\n"
    assert entropies(tmp_path, "train.log", text)[0] == (1, 4.0)


def test_event_files_have_them(tmp_path):
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        for step, entropy in ((1, 0.75), (2, 0.5)):
            writer.add_scalar("train/entropy", entropy, step)
            writer.add_scalar("train/loss", 0.01, step)
            writer.add_scalar("train/reward", 0.5, step)
    (file,) = tmp_path.glob("*tfevents*")
    log = read_logs([file])
    assert [(p.step, p.entropy_nats) for p in log.entropies] == [(1, 0.75), (2, 0.5)]
    assert log.points == ()
