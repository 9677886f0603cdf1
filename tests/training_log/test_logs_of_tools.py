"""Logs as fairseq, OLMo and OpenNMT write them, preferences, and checkpoints that are loaded on the way."""

import math

import pytest
from log_files import read, written

from evalharness.errors import LogError
from evalharness.training_log import LogKeys, read_logs

FAIRSEQ = {
    "json": """\
2021-03-08 12:31:36 | INFO | train_inner | {"epoch": 1, "loss": "16", "ppl": "65536", "num_updates": "100"}
2021-03-08 12:31:46 | INFO | valid | {"epoch": 1, "valid_loss": "12", "valid_num_updates": "200"}
2021-03-08 12:31:46 | INFO | train | {"epoch": 1, "train_loss": "15", "train_num_updates": "200"}
""",
    "simple": """\
2021-03-08 12:31:36 | INFO | train_inner | epoch 001:    100 / 500 loss=16, ppl=65536, num_updates=100, lr=1e-05
2021-03-08 12:31:46 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 12 | ppl 4096 | num_updates 200
2021-03-08 12:31:46 | INFO | train | epoch 001 | loss 15 | ppl 32768 | num_updates 200 | lr 1e-05
""",
    "old": """\
| epoch 001 | loss 16 | nll_loss 16 | ppl 65536 | num_updates 100 | lr 0.0001
| epoch 001 | valid on 'valid' subset | loss 12 | nll_loss 12 | ppl 4096 | num_updates 200
""",
}


@pytest.mark.parametrize("text", FAIRSEQ.values(), ids=FAIRSEQ.keys())
def test_losses_of_fairseq_are_to_base_2(tmp_path, text):
    assert sorted(read(tmp_path, "train.log", text)) == [
        (100, "train", 16 * math.log(2)),
        (200, "validation", 12 * math.log(2)),
    ]


OLMO = """\
2024-02-01 10:00:00.000 host:0 olmo.train:967 INFO [step=10/1000,epoch=0]
    train/CrossEntropyLoss=10.5
    train/Perplexity=36,315
    throughput/total_tokens=40,960
2024-02-01 10:00:05.000 host:0 olmo.train:967 INFO [eval_step=1/4]
2024-02-01 10:00:09.000 host:0 olmo.train:967 INFO [step=20/1000,epoch=0]
    train/CE loss=9.5
    eval/pile-validation/CrossEntropyLoss=9.75
"""


def test_losses_of_olmo_stand_below_their_step(tmp_path):
    assert sorted(read(tmp_path, "train.log", OLMO)) == [
        (10, "train", 10.5),
        (20, "train", 9.5),
        (20, "validation", 9.75),
    ]


def test_of_several_validation_sets_one_has_to_be_named(tmp_path):
    two = OLMO + "    eval/c4-validation/CrossEntropyLoss=8.75\n"
    log = read_logs([written(tmp_path, "train.log", two)])
    assert {p.split for p in log.points} == {"train"}
    assert any("c4-validation" in note for note in log.notes)
    named = LogKeys(validation="eval/c4-validation/CrossEntropyLoss")
    assert [p.loss_nats for p in read_logs([tmp_path / "train.log"], named).points][-1] == 8.75


OPENNMT = """\
[2020-01-01 00:00:00,000 INFO] encoder: 1234567
[2020-01-01 00:00:10,000 INFO] Step 50/ 1000; acc: 5.60; ppl: 5000.0; xent: 8.52; lr: 0.00012; 1000/1200 tok/s, 12 sec
[2020-01-01 00:00:20,000 INFO] Step 100/ 1000; acc: 6.60; ppl: 3000.0; xent: 8.01; lr: 0.00012; 1000/1200 tok/s, 24 sec
[2020-01-01 00:00:21,000 INFO] Train perplexity: 4000.0
[2020-01-01 00:00:21,000 INFO] Validation perplexity: 2000.0
[2020-01-01 00:00:21,000 INFO] Validation accuracy: 7.5
"""


def test_losses_of_opennmt_are_read(tmp_path):
    assert sorted(read(tmp_path, "train.log", OPENNMT)) == [
        (50, "train", 8.52),
        (100, "train", 8.01),
        (100, "validation", math.log(2000)),
    ]


PREFERENCES = {
    "console.log": "{'loss': 0.51, 'rewards/chosen': 0.1, 'step': 10}\n"
    "{'eval_loss': 0.5, 'eval_rewards/chosen': 0.1, 'step': 10}\n",
    "log.jsonl": '{"loss": 0.51, "rewards/chosen": 0.1, "step": 10}\n'
    '{"eval_loss": 0.5, "eval_logps/chosen": -9.0, "step": 10}\n'
    '{"train_loss": 0.6, "train_runtime": 9.5, "step": 20}\n',
    "a.csv": "step,loss,rewards/margins\n10,0.51,0.1\n20,0.5,0.2\n",
}


@pytest.mark.parametrize(("name", "text"), PREFERENCES.items(), ids=PREFERENCES.keys())
def test_the_loss_of_preferences_is_no_loss_of_tokens(tmp_path, name, text):
    with pytest.raises(LogError):
        read(tmp_path, name, text)


def test_a_base_that_is_loaded_in_the_middle_of_a_file_is_none_of_the_run(tmp_path):
    text = (
        "Step 50 | Loss: 3.0\nStep 100 | Loss: 2.5\n"
        "Loaded v1 from step 50000\n  Val loss: 1.25\n"
        "Step 50 | Loss: 2.9\n  [EVAL] Step 50 | Val Loss: 2.8\n"
    )
    log = read_logs([written(tmp_path, "train.log", text)])
    assert [(p.step, p.split, p.loss_nats) for p in log.points] == [
        (50, "train", 2.9), (50, "validation", 2.8), (100, "train", 2.5),
    ]  # fmt: skip
    assert [(p.step, p.loss_nats) for p in log.base_losses] == [(50_000, 1.25)]


def test_a_checkpoint_of_the_run_itself_that_is_loaded_keeps_its_loss(tmp_path):
    text = "Step 50 | Loss: 3.0\nResumed from step 50\n  Val loss: 2.75\nStep 60 | Loss: 2.9\n"
    assert read(tmp_path, "train.log", text) == [(50, "train", 3.0), (50, "validation", 2.75), (60, "train", 2.9)]


@pytest.mark.parametrize(
    "line",
    [
        "[EVAL] Step 20 | Loss: 2.5\n",
        "2026-01-02 10:00:00 [eval] step 20 loss 2.5\n",
        "validation loss at iteration 20 | lm loss value: 2.5E+00 | lm loss PPL: 1.2E+01 |\n",
        "2026-01-02 | INFO | valid | step 20 | loss 2.5\n",
    ],
)
def test_a_line_of_a_validation_is_one_wherever_it_says_so(tmp_path, line):
    text = f"Step 10 | Loss: 3.0\n{line}"
    assert read(tmp_path, "train.log", text) == [(10, "train", 3.0), (20, "validation", 2.5)]


def test_a_restart_begins_at_the_first_training_line_whose_step_goes_back(tmp_path):
    text = "Step 10 | Loss: 3\nStep 20 | Loss: 2\nStep 20 | Val Loss: 2\nStep 10 | Val Loss: 2.5\nStep 30 | Loss: 1\n"
    log = read_logs([written(tmp_path, "train.log", text)])
    assert not log.notes
    assert [(p.step, p.split) for p in log.points] == [
        (10, "train"), (10, "validation"), (20, "train"), (20, "validation"), (30, "train"),
    ]  # fmt: skip
