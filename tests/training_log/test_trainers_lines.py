"""Lines and rows as public trainers write them: which split, step and process they are of."""

from __future__ import annotations

import json
import math

import pytest
from log_files import read, written

from evalharness.errors import LogError
from evalharness.training_log import LogKeys, read_logs

TRAINED = [(10, "train", 5.5), (20, "train", 4.5)]


@pytest.mark.parametrize(
    "line",
    [
        "2025-04-01 12:00:00,123 - root - INFO - validate step: 20  loss:  4.75  memory: 45.10GiB(56.01%)",
        "[INFO] evaluating | step 20 | loss 4.75",
        "2025-04-01 12:00:00 INFO: eval: step 20 loss 4.75",
        "step 20 | eval_epoch_loss: 4.75 | eval_acc: 0.3",
        "INFO: Validation Results - Epoch: 1  Avg loss: 4.75 Avg ppl: 115.6",
        "12:00:00 [info     ] eval                           loss=4.75 step=20",
        ">> eval at step 20\n   loss = 4.75 (ppl 115.6)",
        "Validation loss at step 20: 4.75",
    ],
)
def test_words_after_a_logger_tell_the_split_of_a_line(tmp_path, line):
    text = f"step: 10 loss: 5.5\nstep: 20 loss: 4.5\n{line}\n"
    assert sorted(read(tmp_path, "train.log", text)) == [*TRAINED, (20, "validation", 4.75)]


@pytest.mark.parametrize(
    "line",
    [
        "validation loss at iteration 20 on test set | lm loss value: 4.9 | lm loss PPL: 134.3 |",
        "[TEST] step 20 | loss 4.9",
        "***** Evaluating perplexity, Epoch 1/2 *****\nppl: 134.3, loss: 4.9",
    ],
)
def test_a_loss_of_a_test_or_below_a_heading_is_none_of_this_step(tmp_path, line):
    text = f"step: 10 loss: 5.5\nstep: 20 loss: 4.5\nval loss: 4.75\n{line}\n"
    assert sorted(read(tmp_path, "train.log", text)) == [*TRAINED, (20, "validation", 4.75)]


def test_the_word_of_a_split_counts_for_figures_with_other_names(tmp_path):
    text = "[   10] ce=5.5 aux=0.1\n[   20] ce=4.5 aux=0.1\n[   20] eval: ce=4.75 aux=0.1\n"
    assert sorted(read(tmp_path, "out.txt", text)) == [*TRAINED, (20, "validation", 4.75)]
    text = "a: 10%|█ | 10/20 [00:01<00:01, loss=5.5]\na: 99%|█ | 20/20 [00:01<00:01, loss=4.5]\n[eval @ 20] nll=4.75\n"
    assert sorted(read(tmp_path, "out.txt", text)) == [*TRAINED, (20, "validation", 4.75)]


def test_ranks_that_a_line_names_among_its_figures_are_processes(tmp_path):
    lines = [f"Epoch: 0, Step: {s}, Rank: {r}, loss = {loss + r}" for s, _, loss in TRAINED for r in (0, 1)]
    assert read(tmp_path, "training.log", "\n".join([*lines, ""])) == TRAINED


def test_the_prefix_of_a_logger_has_no_figures(tmp_path):
    prefix = "I0501 12:01:00.123456 140123456789012 logging_writer.py:48]"
    lines = [f"{prefix} [{step}] accuracy=0.12, loss={loss}" for step, _, loss in TRAINED]
    text = "\n".join([*lines, f"{prefix} [20] eval_accuracy=0.1, eval_loss=4.75", ""])
    assert sorted(read(tmp_path, "out.txt", text)) == [*TRAINED, (20, "validation", 4.75)]


def test_a_date_with_slashes_is_no_count_and_a_perplexity_beside_its_loss_no_training_loss(tmp_path):
    bar = "\r {}%|█ | {}/870 [01:00<00:30, 4.8it/s]05/01/2024 12:00:59 - INFO - __main__ - epoch {}: "
    lines = [f"{bar.format(33 * e, 290 * e, e)}perplexity: {math.exp(5 - e)} eval_loss: {5 - e}\n" for e in range(1, 4)]
    assert read(tmp_path, "out.txt", "".join(lines)) == [(290 * e, "validation", 5.0 - e) for e in range(1, 4)]


def test_a_bar_beside_the_step_tells_how_many_an_epoch_has(tmp_path):
    lines = [
        f"epoch {e} iter {i}: train loss {9 - e - i / 50:.5f}. lr 6.0e-04: {i:3d}%|█ | {i + 1}/100 [00:10<00:10]\n"
        for e in (1, 2)
        for i in (0, 50)
    ]
    steps = [step for step, _, _ in read(tmp_path, "train.log", "".join(lines))]
    assert steps == [0, 50, 100, 150]


@pytest.mark.parametrize("is_above", [True, False])
def test_a_row_without_a_step_has_that_of_the_bar_on_the_side_that_fits(tmp_path, is_above):
    bars = [f" {step}%|█ | {step}/100 [00:10<00:10, 2.0it/s]\n" for step in range(0, 101, 10)]
    rows = [f"{{'loss': '{9 - step / 20}', 'epoch': '{step / 50}'}}\n" for step in range(10, 101, 10)]
    pairs = zip(bars[1:], rows, strict=True) if is_above else zip(rows, bars[1:], strict=True)
    text = bars[0] + "".join(line for pair in pairs for line in pair)
    assert [step for step, _, _ in read(tmp_path, "train.log", text)] == [*range(10, 101, 10)]


def test_a_bar_that_does_not_grow_with_the_epochs_counts_no_steps(tmp_path):
    text = "".join(f"{{'loss': {4 - e / 2}, 'epoch': {e}}}\n 7%|█ | 7/100 [00:10<00:10]\n" for e in range(1, 4))
    assert [step for step, _, _ in read(tmp_path, "train.log", text)] == [1, 2, 3]


def test_the_figures_of_composer_stand_below_their_batch(tmp_path):
    text = "".join(
        f"[batch={step}/20]:\n\t Train time/batch: {step}\n\t Train loss/train/total: {loss + 1}\n"
        f"\t Train metrics/train/LanguageCrossEntropy: {loss}\n"
        for step, _, loss in TRAINED
    )
    evaluated = "[Eval batch=1/1] Eval on eval data:\n\t Eval metrics/eval/LanguageCrossEntropy: 4.75\n"
    assert read(tmp_path, "train.log", text + evaluated) == [*TRAINED, (20, "validation", 4.75)]
    objective = text.replace("metrics/train/LanguageCrossEntropy", "metrics/train/Accuracy")
    assert read(tmp_path, "train.log", objective) == [(step, split, loss + 1) for step, split, loss in TRAINED]


def test_an_object_printed_over_several_lines_is_one_row(tmp_path):
    rows = [{"accuracy": 0.1, "loss": loss, "norms": {"w": 1.0}, "step": step} for step, _, loss in TRAINED]
    cut = json.dumps(rows[0], indent=2)[:30] + "\n"
    text = cut + "".join(json.dumps(row, indent=2) + "\n" for row in [*rows, {"eval_loss": 4.75, "step": 20}])
    assert sorted(read(tmp_path, "out.txt", text)) == [*TRAINED, (20, "validation", 4.75)]


@pytest.mark.parametrize("key", ["event", "stage", "kind"])
def test_a_column_with_nothing_but_splits_tells_the_split_of_its_rows(tmp_path, key):
    rows = [{key: "train", "data": {"step": step, "loss": loss}} for step, _, loss in TRAINED]
    rows += [{key: "eval", "data": {"step": 20, "loss": 4.75}}, {key: "test", "data": {"step": 20, "loss": 5.0}}]
    text = "".join(json.dumps(row) + "\n" for row in [{key: "start", "seed": 1}, *rows])
    assert sorted(read(tmp_path, "log.jsonl", text)) == [*TRAINED, (20, "validation", 4.75)]


def test_nan_in_a_table_is_no_value_unless_the_loss_stays_nan(tmp_path):
    table = "step\ttrn_nll\tdev_nll\n10\t5.5\tnan\n20\t4.5\t4.75\n"
    assert read(tmp_path, "log.tsv", table) == [(10, "train", 5.5), (20, "train", 4.5), (20, "validation", 4.75)]
    diverged = read(tmp_path, "log.tsv", table + "30\tnan\tnan\n40\tnan\tnan\n")
    assert [(step, split) for step, split, loss in diverged if math.isnan(loss)] == [
        (step, split) for step in (30, 40) for split in ("train", "validation")
    ]


def test_a_cell_may_be_a_duration(tmp_path):
    text = "epoch  train_loss  valid_loss  time  \n0  5.5  5.75  02:10  \n1  4.5  4.75  02:11  \n"
    assert read(tmp_path, "out.txt", text) == [
        (epoch, split, loss + more)
        for epoch, loss in ((0, 5.5), (1, 4.5))
        for split, more in (("train", 0), ("validation", 0.25))
    ]


UNKNOWN = "Ep. 1 : Up. {} : Sen. {} : Cost {} * 1,234 @ 2,345 : Time 61.23s : gNorm 1.2345\n"


def test_a_refused_log_names_its_figures_and_is_read_by_the_names_that_the_user_gives(tmp_path, golden_text):
    log = written(tmp_path, "out.txt", "".join(UNKNOWN.format(s, 64 * s, loss) for s, _, loss in TRAINED))
    with pytest.raises(LogError) as refused:
        read_logs([log])
    golden_text(refused)
    named = read_logs([log], LogKeys(step="Up.", train="Cost"))
    assert [(p.step, p.split, p.loss_nats) for p in named.points] == TRAINED


def test_names_of_any_language_are_told_and_so_are_their_decimal_commas(tmp_path):
    text = "Schritt 1.000: Verlust 5,5000, Prüfung 5,7500\nSchritt 2.000: Verlust 4,5000, Prüfung 4,7500\n"
    log = written(tmp_path, "out.txt", text)
    named = read_logs([log], LogKeys(step="Schritt", train="Verlust", validation="Prüfung"))
    assert [(p.step, p.loss_nats) for p in named.points if p.split == "train"] == [(1000, 5.5), (2000, 4.5)]
    assert [p.loss_nats for p in named.points if p.split == "validation"] == [5.75, 4.75]


def test_a_refused_log_of_rewards_asks_for_no_names(tmp_path, golden_text):
    rows = "".join(f"{{'loss': 0.0{i}, 'reward': 0.{i}, 'kl': 0.1, 'epoch': 0.{i}}}\n" for i in range(1, 4))
    with pytest.raises(LogError) as refused:
        read_logs([written(tmp_path, "train.log", rows)])
    golden_text(refused)
