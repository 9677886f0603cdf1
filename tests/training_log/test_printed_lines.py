"""Lines as terminals and other countries write them, and tables that a loop prints."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_files import notes, read

from evalharness.errors import LogError
from evalharness.training_log import read_logs
from evalharness.training_log.open_log import DECIMAL_COMMAS
from evalharness.training_log.printed_lines import have_decimal_commas

BOTH = [(100, "train", 4.5), (100, "validation", 4.6), (200, "train", 4.25), (200, "validation", 4.4)]
TRAIN = [point for point in BOTH if point[1] == "train"]


def read_sorted(folder, text, name="out.txt"):
    return sorted(read(folder, name, text))


DECIMALS = {
    "step 1.000 loss 4,5418 lr 0,001\nstep 2.000 loss 3,9871 lr 0,001\n": [(1000, 4.5418), (2000, 3.9871)],
    "Step 1 | Loss: 4,541\nStep 2 | Loss: 3,987\n": [(1, 4.541), (2, 3.987)],
    "it 1 nll 5,90\nit 2 nll 5,80\n": [(1, 5.9), (2, 5.8)],
}
POINTS = {
    "step 1,000 | loss 4.541\nstep 2,000 | loss 3.987\n": [(1000, 4.541), (2000, 3.987)],
    "step 100, loss 4.5, lr 0.1\nstep 200, loss 4.25, lr 0.1\n": [(100, 4.5), (200, 4.25)],
    "step 1 loss 4.5 tokens 1,000\nstep 2 loss 4.25 tokens 12,000\n": [(1, 4.5), (2, 4.25)],
}


@pytest.mark.parametrize(("text", "losses"), [*DECIMALS.items(), *POINTS.items()])
def test_decimal_commas_in_lines_are_told_from_thousands_by_the_losses(tmp_path, text, losses):
    assert [(step, loss) for step, _, loss in read(tmp_path, "train.log", text)] == losses
    is_noted = any(DECIMAL_COMMAS in note for note in notes(tmp_path, "train.log", text))
    assert is_noted == (text in DECIMALS)


@given(st.lists(st.floats(0.01, 50).map(lambda loss: f"{loss:.4f}"), min_size=1, max_size=8))
def test_a_loss_with_a_point_means_that_no_comma_is_decimal(losses):
    assert not have_decimal_commas(f"step 1,000 loss {loss}" for loss in losses)
    assert have_decimal_commas(f"step 1.000 loss {loss.replace('.', ',')}" for loss in losses)


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[32mstep\x1b[0m 100 \x1b[1mloss\x1b[0m \x1b[33m4.50\x1b[0m\nstep 200 loss \x1b[33m4.25\x1b[0m\n",
        "Epoch 1:  50%|█ | 100/200 [00:01<00:09, loss=4.5]\rEpoch 1: 100%|██| 200/200 [00:02<00:08, loss=4.25]\n",
        "step 100 loss tensor(4.5000, device='cuda:0')\nstep 200 loss np.float32(4.25)\n",
        "[epoch 1/2] [batch 0/150] lr=1\n[epoch 1/2] [batch 100/150] loss=4.5\n[epoch 2/2] [batch 50/150] loss=4.25\n",
        "Epoch 1/2\n  step 100/100 loss 4.5\nEpoch 2/2\n  step 100/100 loss 4.25\n",
        "Steps:  50%|█ | 100/200 [00:01<00:01, step_loss=4.5]\nSteps: 100%|██| 200/200 [00:02<00:00, step_loss=4.25]\n",
        "step 0.1k loss 4.5\nstep 0.2k loss 4.25\n",
        "step 100 loss 4.5 margin loss 0.25\nstep 200 loss 4.25 margin loss 0.5\n",
        "Resumed from step 50\n100/200 [00:01<00:01, loss=4.5]\n200/200 [00:02<00:00, loss=4.25]\n",
    ],
    ids=[
        "colours",
        "progress bar",
        "tensors",
        "batches",
        "epoch above",
        "loss of a step",
        "thousands",
        "another loss",
        "step far above",
    ],
)
def test_training_losses_are_read_as_terminals_show_them(tmp_path, text):
    assert sorted(set(read(tmp_path, "out.txt", text))) == TRAIN


@pytest.mark.parametrize(
    "text",
    [
        "🚀 Step 100 ➜ 📉 loss 4.50 • 🧪 val 4.60\n🚀 Step 200 ➜ 📉 loss 4.25 • 🧪 val 4.40\n",
        "step 100: loss 4.5\nValidation: 4.6\nstep 200: loss 4.25\nValidation: 4.4\n",
        "".join(
            f"Train step {s} (loss: {t})\nEval step {s} (loss: {v})\n"
            for s, t, v in ((100, 4.5, 4.6), (200, 4.25, 4.4))
        ),
        "step 100 nll 4.5 val loss 4.6\nstep 200 nll 4.25 val loss 4.4\n",
        "step 100 train loss 4.5 test loss 4.6\nstep 200 train loss 4.25 test loss 4.4\n",
        "step  train_loss  val_loss\n 100    4.5000    4.6000\n 200    4.2500    4.4000\n",
        "| step | train | val  |\n|   100 | 4.5  | 4.6 |\n|   200 | 4.25 | 4.4 |\n",
        "┃ Step ┃ Train Loss ┃ Val Loss ┃\n┡━━━╇━━━╇━━━┩\n│ 100 │ 4.5 │ 4.6 │\n│ 200 │ 4.25 │ 4.4 │\n",
        "begun at 10:00\n\nStep\tTraining Loss\tValidation Loss\n100\t4.5\t4.6\n200\t4.25\t4.4\n",
        "Schritt  step  loss  val\n1  100  4,5  4,6\n2  200  4,25  4,4\n",
    ],
    ids=["emoji", "below", "split first", "nll", "test", "blanks", "bars", "boxes", "tabs", "decimal commas"],
)
def test_both_losses_are_read_whatever_they_are_called_and_however_they_stand(tmp_path, text):
    assert read_sorted(tmp_path, text) == BOTH


@pytest.mark.parametrize(
    "text",
    [
        '{"100": {"train": 4.5, "val": 4.6}, "200": {"train": 4.25, "val": 4.4}}\n',
        '{"train": {"100": 4.5, "200": 4.25}, "val": {"100": 4.6, "200": 4.4}}\n',
        '{"train": [[100, 4.5], [200, 4.25]], "val": [[100, 4.6], [200, 4.4]]}\n',
    ],
)
def test_a_history_that_has_its_steps_as_keys_or_in_pairs_is_read(tmp_path, text):
    assert read_sorted(tmp_path, text, "losses.json") == BOTH


BARS = """\
Epoch 1 train: 100%|██| 100/100 [00:01<00:00, loss=4.5]
Epoch 1 val: 50%|██| 5/10 [00:01<00:00, loss=4.7]\rEpoch 1 val: 100%|██| 10/10 [00:01<00:00, loss=4.6]
Epoch 2 train: 100%|██| 100/100 [00:01<00:00, loss=4.25]
Epoch 2 val: 100%|██| 10/10 [00:01<00:00, loss=4.4]
Testing: 50%|██| 5/10 [00:01<00:00, loss=9.5]\rTesting: 100%|██| 10/10 [00:01<00:00, loss=9.5]
"""


def test_a_progress_bar_of_an_evaluation_counts_no_steps(tmp_path):
    (tmp_path / "out.txt").write_text(BARS, encoding="utf-8")
    assert [(p.step, p.split, p.loss_nats) for p in read_logs([tmp_path / "out.txt"]).points] == BOTH


def test_a_loss_below_a_framed_heading_of_an_evaluation_is_none_of_training(tmp_path):
    evaluated = "*** Evaluation ***\n  loss = 9.5\n  accuracy = 0.5\n"
    text = f"step 100 loss 4.5\n{evaluated}step 200 loss 4.25\n{evaluated}"
    assert read(tmp_path, "out.txt", text) == TRAIN
    assert any("evaluation" in note for note in notes(tmp_path, "out.txt", text))


def test_many_losses_below_one_step_are_not_of_that_step(tmp_path):
    with pytest.raises(LogError):
        read(tmp_path, "out.txt", "Resumed from step 50\n" + "loss 4.5\n" * 5)


def test_a_loss_of_a_test_is_no_validation_beside_one(tmp_path):
    text = "step 100 loss 4.5 val loss 4.6\nstep 200 loss 4.25 val loss 4.4\ntest loss 9.5\n"
    assert read_sorted(tmp_path, text) == BOTH
    named_only = "step 100 loss 4.5 val 4.6 test 9.5\nstep 200 loss 4.25 val 4.4 test 9.5\n"
    assert read_sorted(tmp_path, named_only) == BOTH


def test_the_loss_of_a_model_that_is_loaded_is_of_the_base_by_another_name_as_well(tmp_path):
    text = (
        "Loaded v1 from step 50000\n  Val: 1.25\nStep 100 | Loss: 4.5\n  Val: 4.6\nStep 200 | Loss: 4.25\n  Val: 4.4\n"
    )
    assert read_sorted(tmp_path, text) == BOTH


def test_of_two_names_for_the_validation_none_is_taken(tmp_path):
    with pytest.raises(LogError, match=r"\[log\]\svalidation\s="):
        read(tmp_path, "out.txt", "step 100 loss 4.5 val 4.6 dev 4.75\n")


def test_perplexities_are_taken_where_no_loss_is_said(tmp_path):
    text = "step 100 loss 4.5 eval ppl 99.5\nstep 200 loss 4.25 eval ppl 81.5\n"
    losses = {loss for _, split, loss in read(tmp_path, "out.txt", text) if split == "validation"}
    assert losses == {math.log(99.5), math.log(81.5)}
