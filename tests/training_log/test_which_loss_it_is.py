"""Which step, split and unit a figure is of, where another reading is near."""

import json
import math

import pytest
from log_files import notes, read, written

from evalharness.errors import LogError
from evalharness.training_log import LogKeys, read_logs

TRAINED = [(100, "train", 5.5), (200, "train", 4.5), (300, "train", 3.5), (400, "train", 2.5)]
COUNTED_ON = {
    "two brackets": ("[{e}/2][{i}/200] Loss_ce: {x} acc: 0.25\n", "Validation epoch {e}: loss {y} acc 0.25\n"),
    "a date before": ("2024/05/01 12:00:07 - run - [{e}/2][{i}/200] nll: {x}\n", "epoch {e} val nll: {y}\n"),
    "a short epoch": ("ep {e}/2 it {i}/200 trn {x}\n", "ep {e}/2 DONE trn 9.5 dev {y} in 61.2s\n"),
    "a short epoch and a loss": ("ep {e} step {i}/200 loss {x}\n", "ep {e} val loss {y}\n"),
}


@pytest.mark.parametrize(("line", "validated"), COUNTED_ON.values(), ids=COUNTED_ON.keys())
def test_an_epoch_by_any_sign_counts_the_steps_on(tmp_path, line, validated):
    rows = [(1, 100, 5.5), (1, 200, 4.5), (2, 100, 3.5), (2, 200, 2.5)]
    text = "".join(
        line.format(e=e, i=i, x=x) + (validated.format(e=e, y=x + 0.25) if i == 200 else "") for e, i, x in rows
    )
    found = read(tmp_path, "train.log", text)
    assert sorted(found) == sorted([*TRAINED, (200, "validation", 4.75), (400, "validation", 2.75)])


def test_all_batches_of_an_evaluation_are_no_step(tmp_path):
    text = "".join(f"Iter(train) [{s}/400] loss: {x}\nIter(val) [50/50] loss: {x + 0.25}\n" for s, _, x in TRAINED)
    found = read(tmp_path, "run.log", text)
    assert [point for point in found if point[1] == "train"] == TRAINED
    assert [point[0] for point in found if point[1] == "validation"] == [100, 200, 300, 400]


@pytest.mark.parametrize(
    "line",
    [
        "step={} loss=4.75 phase=val",
        "loss=4.75 split=eval step={}",
        "I0501 12:00:07.123456 140 writer.py:48] step {} collection=eval/mix loss=4.75",
        "{{'mode': 'valid', 'step': {}, 'loss': 4.75}}",
    ],
)
def test_a_key_tells_the_split_wherever_it_stands(tmp_path, line):
    text = "".join(f"step={s} loss={x} phase=train\n" for s, _, x in TRAINED) + line.format(400) + "\n"
    assert sorted(read(tmp_path, "train.log", text)) == sorted([*TRAINED, (400, "validation", 4.75)])


def test_a_mean_below_the_line_of_a_step_is_not_the_loss_of_that_step(tmp_path):
    lines = "".join(f"Step: {s}, Train Loss: {x}\n" for s, _, x in TRAINED)
    mean = "Epoch 1 summary: train loss 4.0, 61.2 s\n"
    assert read(tmp_path, "train.log", lines + mean) == TRAINED
    summary = "wandb: Run summary:\nwandb: train/loss 9.5\nwandb:   val/loss 9.5\nwandb:\n"
    assert read(tmp_path, "train.log", lines + summary) == TRAINED
    assert len(notes(tmp_path, "train.log", lines + summary)) == 1


@pytest.mark.parametrize("behind", ["bits/token", "bits per token", "bits"])
@pytest.mark.parametrize(
    "line", ["step {} train {:.6f} {}, val {:.6f} {}", "step {} | loss {:.6f} {} | val loss {:.6f} {}"]
)
def test_a_unit_behind_a_figure_converts_it(tmp_path, line, behind):
    text = "".join(
        line.format(s, x / math.log(2), behind, (x + 0.25) / math.log(2), behind) + "\n" for s, _, x in TRAINED
    )
    found = [(step, split, round(loss, 4)) for step, split, loss in read(tmp_path, "train.log", text)]
    assert found == [point for s, _, x in TRAINED for point in ((s, "train", x), (s, "validation", x + 0.25))]


def test_bits_of_a_byte_behind_a_figure_need_the_bytes_of_a_token(tmp_path):
    path = written(tmp_path, "a.log", "".join(f"it {s} train {x} bits/byte\n" for s, _, x in TRAINED))
    assert read_logs([path]).in_bits_per_byte == ("train bits per byte",)
    points = read_logs([path], LogKeys(bytes_per_token=4.0)).points
    assert [p.loss_nats / math.log(2) / 4 for p in points] == pytest.approx([5.5, 4.5, 3.5, 2.5])


def test_steps_in_thousands_are_counted(tmp_path):
    text = "step=1k train=5.5 valid=5.75\nstep=2.5k train=4.5 valid=4.75\n"
    assert [point[0] for point in read(tmp_path, "train.log", text)] == [1000, 1000, 2500, 2500]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("eval_results.txt", "validation"),
        ("val.log", "validation"),
        ("val/loss.log", "validation"),
        ("train_eval.log", "train"),
        ("dev.log", "train"),
        ("train/out.log", "train"),
    ],
)
def test_a_plain_loss_is_of_the_split_that_its_file_is_named_after(tmp_path, name, split):
    text = "checkpoint-500: loss = 4.75, ppl = 115.58\ncheckpoint-1000: loss = 4.5, ppl = 90.02\n"
    assert read(tmp_path, name, text) == [(500, split, 4.75), (1000, split, 4.5)]
    assert {p.split for p in read_logs([tmp_path / name], LogKeys(train="loss")).points} == {"train"}


def test_a_name_of_a_split_in_the_file_counts_more_than_the_name_of_the_file(tmp_path):
    assert read(tmp_path, "eval.log", "step 1 train loss 5.5\nstep 2 train loss 4.5\n") == [
        (1, "train", 5.5),
        (2, "train", 4.5),
    ]


def test_figures_below_0_are_no_losses_unless_they_are_told_and_have_their_sign_then(tmp_path):
    text = "".join(f"step {s} | loss {-x} | val loss {x + 0.25}\n" for s, _, x in TRAINED)
    path = written(tmp_path, "train.log", text)
    log = read_logs([path])
    assert ({p.split for p in log.points}, len(log.notes)) == ({"validation"}, 1)
    told = read_logs([path], LogKeys(train="loss"))
    assert [p.loss_nats for p in told.points if p.split == "train"] == [x for _, _, x in TRAINED]
    alone = written(tmp_path, "alone.log", "".join(f"step {s} | loss {-x}\n" for s, _, x in TRAINED))
    with pytest.raises(LogError):
        read_logs([alone])


def test_sums_over_tokens_are_noted(tmp_path):
    path = written(tmp_path, "train.log", "".join(f"step {s} | loss {x * 1000}\n" for s, _, x in TRAINED))
    log = read_logs([path])
    assert (len(log.points), len(log.notes)) == (4, 1)


def test_a_sum_is_not_the_loss_where_another_column_has_that_of_a_token(tmp_path):
    row = "[{}] collection={} cross_ent_loss={}, cross_ent_loss_per_all_target_tokens={}\n"
    text = "".join(
        row.format(s, c, y * 1000, y) for s, _, x in TRAINED for c, y in (("train", x), ("eval/a", x + 0.25))
    )
    assert read(tmp_path, "train.log", text) == [
        point for s, _, x in TRAINED for point in ((s, "train", x), (s, "validation", x + 0.25))
    ]
    table = "step,loss,loss_per_token\n" + "".join(f"{s},{x * 1000},{x}\n" for s, _, x in TRAINED)
    assert read(tmp_path, "metrics.csv", table) == TRAINED


def test_a_run_that_diverges_keeps_its_losses(tmp_path):
    text = "step 1 loss 9.5\nstep 2 loss 95.5\nstep 3 loss 1e9\nstep 4 loss nan\n"
    assert len(read(tmp_path, "train.log", text)) == 4


def test_losses_of_several_sets_that_lines_name_are_noted_and_one_can_be_told(tmp_path):
    text = "".join(f"step {s} loss {x}\nstep {s} val/wiki_loss {x + 0.25} val/code_loss 1.5\n" for s, _, x in TRAINED)
    path = written(tmp_path, "train.log", text)
    log = read_logs([path])
    assert {p.split for p in log.points} == {"train"}
    assert any("val/wiki_loss" in note and "val/code_loss" in note for note in log.notes)
    told = read_logs([path], LogKeys(validation="val/wiki_loss"))
    assert [p.loss_nats for p in told.points if p.split == "validation"] == [5.75, 4.75, 3.75, 2.75]


def test_names_and_expressions_are_told_together_and_a_name_is_of_the_split_of_its_line(tmp_path):
    text = "".join(f"Iter {s}/400: L={x}, lr=3e-4\n[eval] Iter {s}: L={x + 0.25}\n" for s, _, x in TRAINED)
    path = written(tmp_path, "train.log", text)
    for validation in (r"\[eval\].*L=(?P<validation>[\d.]+)", "validation L", None):
        points = read_logs([path], LogKeys(step="Iter", train="L", validation=validation)).points
        assert [p.loss_nats for p in points if p.split == "validation"] == [5.75, 4.75, 3.75, 2.75]
        assert [(p.step, p.split, p.loss_nats) for p in points if p.split == "train"] == TRAINED


def test_figures_behind_the_prefix_of_a_logger_are_read(tmp_path):
    head = "2024-05-01 12:00:07.123\tnode-0:0\tolmo.train:922\tINFO\t"
    text = "".join(
        f"{head}[step={s}/400,epoch=0]\n    train/CrossEntropyLoss={x}\n    train/ZLoss=0.01\n"
        f"{head}eval/c4-validation/CrossEntropyLoss={x + 0.25}\n"
        for s, _, x in TRAINED
    )
    found = read(tmp_path, "train.log", text)
    assert [point[2] for point in found if point[1] == "validation"] == [5.75, 4.75, 3.75, 2.75]


STEPS, LOSSES = [s for s, _, _ in TRAINED], [x for _, _, x in TRAINED]
VALIDATED = [(200, "validation", 4.75), (400, "validation", 2.75)]
HISTORIES = {
    "apart": {"train": {"step": STEPS, "loss": LOSSES}, "val": {"step": [200, 400], "loss": [4.75, 2.75]}},
    "side by side": {"train_it": STEPS, "trn": LOSSES, "val_it": [200, 400], "vld": [4.75, 2.75], "seed": [1]},
    "plots": {
        "loss": {
            "train": {"name": "train", "x": STEPS, "y": LOSSES},
            "validation": {"name": "validation", "x": [200, 400], "y": [4.75, 2.75]},
        },
        "lr": {"lr": {"name": "lr", "x": STEPS, "y": [0.1] * 4}},
    },
}


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES.keys())
def test_lists_have_the_steps_that_stand_beside_them(tmp_path, history):
    assert sorted(read(tmp_path, "history.json", json.dumps(history, indent=1))) == sorted([*TRAINED, *VALIDATED])


def test_a_long_table_names_its_losses_in_any_column(tmp_path):
    rows = "".join(f'"train_loss","{x}","{s}"\n"lr","0.1","{s}"\n' for s, _, x in TRAINED)
    rows += "".join(f'"val_loss","{x}","{s}"\n' for s, _, x in VALIDATED)
    assert sorted(read(tmp_path, "export.csv", '"name","value","step"\n' + rows)) == sorted([*TRAINED, *VALIDATED])


def test_the_number_of_a_row_that_pandas_prints_is_no_cell(tmp_path):
    text = "   step  train_loss  val_loss\n" + "".join(
        f"{at}   {s}      {x:.4f}       {'NaN' if at % 2 == 0 else f'{x + 0.25:.4f}'}\n"
        for at, (s, _, x) in enumerate(TRAINED)
    )
    assert sorted(read(tmp_path, "out.log", text)) == sorted([*TRAINED, *VALIDATED])
    with pytest.raises(LogError):
        read(tmp_path, "out.log", "   train_loss  val_loss\n0      5.5       5.75\n1      4.5       4.75\n")


@pytest.mark.parametrize(
    "line",
    [
        "- {{epoch: {s}, train: {{loss: {x}}}, val: {{loss: {y}}}}}",
        "step {s} train(loss={x}, acc=0.25) val(loss={y}, acc=0.25)",
        "it {s} | train: [nll {x}, acc 0.25], val: [nll {y}, acc 0.25]",
    ],
)
def test_a_loss_in_a_bracket_is_of_the_split_before_it(tmp_path, line):
    text = "".join(line.format(s=s, x=x, y=x + 0.25) + "\n" for s, _, x in TRAINED)
    assert read(tmp_path, "a.log", text) == [
        point for s, _, x in TRAINED for point in ((s, "train", x), (s, "validation", x + 0.25))
    ]


@pytest.mark.parametrize("name", ["loss(bits)", "loss (bits):", "nll (bits/token) ="])
def test_a_unit_in_parentheses_is_part_of_the_name(tmp_path, name):
    text = "".join(f"step {s} {name} {x / math.log(2):.6f}\n" for s, _, x in TRAINED)
    assert [(s, split, round(x, 4)) for s, split, x in read(tmp_path, "a.log", text)] == TRAINED


def test_several_losses_of_every_step_are_noted(tmp_path):
    text = "| step | micro | loss |\n" + "".join(f"| {s} | {m} | {x - m} |\n" for s, _, x in TRAINED for m in (1, 0))
    assert read_logs([written(tmp_path, "a.log", text)]).points[0].loss_nats == 5.5
    assert len(notes(tmp_path, "a.log", text)) == 1


def test_triples_of_tensorboard_are_read(tmp_path):
    text = json.dumps([[1.7e9 + s, s, x] for s, _, x in TRAINED])
    assert read(tmp_path, "run-a-tag-train_loss.json", text) == TRAINED
    with pytest.raises(LogError):
        read(tmp_path, "run-a-tag-speed.json", text)


def test_a_refused_table_names_its_columns(tmp_path):
    text = "wall,updates,objective/train\n" + "".join(f"{1.5 + s},{s},{x}\n" for s, _, x in TRAINED)
    with pytest.raises(LogError, match=r"'objective/train' \(5\.5, 4\.5\)"):
        read(tmp_path, "log.csv", text)
    points = read_logs([tmp_path / "log.csv"], LogKeys(train="objective/train")).points
    assert [(p.step, p.split, p.loss_nats) for p in points] == TRAINED


def test_lists_of_losses_without_steps_are_named(tmp_path):
    text = json.dumps({"train_loss": LOSSES, "val_loss": LOSSES, "lr": LOSSES})
    with pytest.raises(LogError, match=r"train_loss,\sval_loss"):
        read(tmp_path, "history.json", text)
