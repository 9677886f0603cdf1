"""Consoles of icefall, Caffe, fairseq2, ParlAI, TensorFlow and CNTK, and figures that only a unit names."""

import pytest
from log_files import notes, read, written

from evalharness.errors import LogError
from evalharness.training_log import read_log, read_logs
from evalharness.training_log.counted_lines import WITHOUT_A_STEP
from evalharness.training_log.log_keys import LogKeys

ICEFALL = """\
2023-05-01 10:00:01,123 INFO [train.py:895] (0/4) Epoch 1, batch 0, loss[loss=9.812, over 512.00 frames. ]
2023-05-01 10:01:01,123 INFO [train.py:895] (0/4) Epoch 1, batch 50, loss[loss=6.402, over 498.00 frames. ]
2023-05-01 10:02:15,123 INFO [train.py:929] (0/4) Epoch 1, validation: loss=4.755, over 20110.00 frames.
"""
CAFFE = """\
I0501 10:00:00.000001  4242 solver.cpp:337] Iteration 0, Testing net (#0)
I0501 10:00:02.000001  4242 solver.cpp:404]     Test net output #0: accuracy = 0.01
I0501 10:00:02.000001  4242 solver.cpp:404]     Test net output #1: loss = 6.9112 (* 1 = 6.9112 loss)
I0501 10:00:03.000001  4242 solver.cpp:228] Iteration 0, loss = 6.9301
I0501 10:00:03.000001  4242 solver.cpp:244]     Train net output #0: loss = 6.9301 (* 1 = 6.9301 loss)
I0501 10:01:03.000001  4242 solver.cpp:228] Iteration 100, loss = 5.1102
I0501 10:01:03.000001  4242 solver.cpp:244]     Train net output #0: loss = 5.1102 (* 1 = 5.1102 loss)
"""
FAIRSEQ2 = """\
[2024-09-01 10:00:00,000] INFO fairseq2.recipes.trainer - Training Metrics (Step 50) - NLL Loss (nll_loss): 3.10221
[2024-09-01 10:01:31,000] INFO fairseq2.recipes.trainer - Validation Metrics (Step 50) - NLL Loss (nll_loss): 2.75004
[2024-09-01 10:02:31,000] INFO fairseq2.recipes.trainer - Training Metrics (Step 100) - NLL Loss (nll_loss): 2.60332
"""
ESTIMATOR = """\
INFO:tensorflow:loss = 9.2103, step = 0
INFO:tensorflow:loss = 6.1022, step = 100 (8.263 sec)
INFO:tensorflow:Starting evaluation at 2019-05-01-10:00:00
INFO:tensorflow:Evaluation [100/100]
INFO:tensorflow:Saving dict for global step 150: accuracy = 0.31, global_step = 150, loss = 5.7702
INFO:tensorflow:loss = 5.4011, step = 200 (8.263 sec)
INFO:tensorflow:Saving dict for global step 200: accuracy = 0.35, global_step = 200, loss = 5.1102
INFO:tensorflow:Loss for final step: 4.8803.
"""
PARLAI = """\
16:00:10 | time:10s total_exs:640 total_steps:20 epochs:0.01
    clip  ctpb  exps  loss   ppl  total_train_updates
       1  1204  64.0 5.112 166.0                   20

16:00:20 | time:20s total_exs:1280 total_steps:40 epochs:0.02
    clip  ctpb  exps  loss   ppl  total_train_updates
       1  1211  64.0 4.701 110.1                   40

16:00:30 | valid:
     accuracy  bleu-4  exps  loss   ppl  total_train_updates
            0   .0001   300 4.655 105.1                   40
"""


@pytest.mark.parametrize(
    ("text", "losses"),
    [
        (ICEFALL, [(0, "train", 9.812), (50, "train", 6.402), (50, "validation", 4.755)]),
        (CAFFE, [(0, "train", 6.9301), (100, "train", 5.1102), (0, "validation", 6.9112)]),
        (FAIRSEQ2, [(50, "train", 3.10221), (50, "validation", 2.75004), (100, "train", 2.60332)]),
        (
            ESTIMATOR,
            [
                *((0, "train", 9.2103), (100, "train", 6.1022), (150, "validation", 5.7702)),
                *((200, "train", 5.4011), (200, "validation", 5.1102)),
            ],
        ),
        (PARLAI, [(20, "train", 5.112), (40, "train", 4.701), (40, "validation", 4.655)]),
    ],
    ids=["icefall", "Caffe", "fairseq2", "TensorFlow's estimators", "ParlAI"],
)
def test_the_words_of_an_evaluation_are_known_wherever_they_stand(tmp_path, text, losses):
    assert read(tmp_path, "train.log", text) == losses


def test_a_training_loss_without_a_step_is_told_of(tmp_path):
    text = """\
Finished Epoch[ 1 of 3]: [Training] CrossEntropy = 5.50713100 * 128000; EpochTime=24.3s
Final Results: Minibatch[1-20]: CrossEntropy = 5.00122100 * 12800
Finished Epoch[ 2 of 3]: [Training] CrossEntropy = 4.70713100 * 128000; EpochTime=24.3s
Final Results: Minibatch[1-20]: CrossEntropy = 4.65122100 * 12800
"""
    assert read(tmp_path, "train.log", text) == [(1, "train", 5.507131), (2, "train", 4.707131)]
    assert notes(tmp_path, "train.log", text) == (f"train.log: {WITHOUT_A_STEP}",)


def test_figures_that_only_a_unit_names_are_losses_and_tokens_are_no_steps(tmp_path):
    lines = "{}  12 |  8.12 nats\n{} 13 |  6.02 nats\n   held-out 5.20 nats\n"
    assert read(tmp_path, "steps.log", lines.format("it", "it")) == [
        (12, "train", 8.12), (13, "train", 6.02), (13, "validation", 5.2),
    ]  # fmt: skip
    tokens = written(tmp_path, "tokens.log", "0.1M tok |  8.12 nats\n0.5M tok |  6.02 nats\n   held-out 5.20 nats\n")
    with pytest.raises(LogError):
        read_log(tokens)
    told = read_logs([tokens], LogKeys(step="tokens", train="nats", validation="held-out"))
    assert [(p.step, p.split, p.loss_nats) for p in told.points] == [
        (100_000, "train", 8.12), (500_000, "train", 6.02), (500_000, "validation", 5.2),
    ]  # fmt: skip
