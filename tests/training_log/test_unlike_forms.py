"""Numbers as other countries write them, several runs in one table, and names that other tools give."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared_or_skip

from evalharness.errors import LogError
from evalharness.training_log import read_log, read_logs
from evalharness.training_log.columns import have_decimal_commas, with_decimal_points
from evalharness.training_log.open_log import DECIMAL_COMMAS

CARD = """\
| Training Loss | Step | Validation Loss |
|:---:|:---:|:---:|
| 4,5418 | 2000 | 2,0382 |
| 3,345 | 20.000 | 1,542 |
"""


def read(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    return [(p.step, p.split, p.loss_nats) for p in read_log(folder / name)]


def test_a_table_with_decimal_commas_is_read_as_it_is_meant_and_a_note_says_so(tmp_path):
    assert read(tmp_path, "card.md", CARD) == [
        (2000, "train", 4.5418), (2000, "validation", 2.0382), (20_000, "train", 3.345), (20_000, "validation", 1.542),
    ]  # fmt: skip
    (note,) = read_logs([tmp_path / "card.md"]).notes
    assert note.endswith(DECIMAL_COMMAS)


SEMICOLONS = "step;train_loss;val_loss\n100;2,25;2,5\n1.200;1,125;1,5\n"
QUOTES = 'step,train_loss,val_loss\n100,"2,25","2,5"\n1200,"1,125","1,5"\n'


@pytest.mark.parametrize("text", [SEMICOLONS, QUOTES], ids=["semicolons", "quotes"])
def test_a_file_of_cells_with_decimal_commas_is_read_as_well(tmp_path, text):
    found = read(tmp_path, "metrics.csv", text)
    assert found == [(100, "train", 2.25), (100, "validation", 2.5), (1200, "train", 1.125), (1200, "validation", 1.5)]


def test_thousands_stay_thousands_where_no_comma_can_be_decimal(tmp_path):
    table = "| Step | Training Loss |\n|---|---|\n| 2,000 | 1.25 |\n| 12,000 | 0.5 |\n"
    assert read(tmp_path, "card.md", table) == [(2000, "train", 1.25), (12_000, "train", 0.5)]


@given(st.lists(st.floats(0.01, 50).map(lambda loss: f"{loss:.4f}"), min_size=1, max_size=8))
def test_four_decimals_are_never_taken_for_thousands(losses):
    cells = [loss.replace(".", ",") for loss in losses]
    assert have_decimal_commas(cells)
    assert with_decimal_points(cells) == losses


@given(st.lists(st.integers(1000, 10**9).map(lambda n: f"{n:,}"), min_size=1, max_size=8))
def test_thousands_are_never_taken_for_decimals(cells):
    assert not have_decimal_commas(cells)


EPOCHS = """\
Epoch 0 | Step    0/20 | Loss: 9.0
Epoch 0 | Step   10/20 | Loss: 5.0
Epoch 1 | Step    0/20 | Loss: 4.0
Epoch 1 | Step   10/20 | Loss: 3.0
Final evaluation...
Evaluation Results:
  Loss: 3.5
"""


def test_steps_that_start_again_in_every_epoch_are_counted_on(tmp_path):
    assert read(tmp_path, "train.log", EPOCHS) == [
        (0, "train", 9),
        (10, "train", 5),
        (20, "train", 4),
        (30, "train", 3),
    ]


def test_a_loss_under_a_heading_of_evaluation_is_none_of_training(tmp_path, golden_text):
    read(tmp_path, "train.log", EPOCHS)
    golden_text("\n".join(read_logs([tmp_path / "train.log"]).notes))
    goes_on = EPOCHS + "Epoch 2 | Step 0/20 | Loss: 2.0\n"
    assert read(tmp_path, "train.log", goes_on)[-1] == (40, "train", 2)


def test_a_restart_is_no_new_epoch(tmp_path):
    text = "Epoch 1 | Step 40 | Loss: 3\nEpoch 2 | Step 60 | Loss: 2\nEpoch 1 | Step 50 | Loss: 2.5\n"
    assert read(tmp_path, "train.log", text) == [(40, "train", 3), (60, "train", 2), (50, "train", 2.5)]
    assert [p.step for p in read_logs([tmp_path / "train.log"]).points] == [40, 50, 60]


def test_losses_of_several_runs_are_refused_with_their_names(tmp_path, golden_text):
    header = '"Step","first - train/loss","first - train/loss__MIN","second - train/loss"\n'
    with pytest.raises(LogError) as error:
        read(tmp_path, "wandb.csv", header + '"0","25.48","25.48","10.98"\n')
    golden_text(error)
    one = '"Step","first - train/loss","first - train/loss__MIN","first - eval/loss"\n"0","2.5","2.5","2.75"\n'
    assert read(tmp_path, "wandb.csv", one) == [(0, "train", 2.5), (0, "validation", 2.75)]


@pytest.mark.parametrize(
    "row",
    [
        {"current_steps": 10, "loss": 0.85, "eval_loss": 0.9},
        {"step": 10, "train_mean_nll": 0.85, "test/nll": 0.9},
        {"it": 10, "train_loss": 0.85, "val_loss": 0.9},
        {"num_updates": "10", "loss": "0.85", "valid_loss": "0.9"},
    ],
    ids=["LLaMA-Factory", "mean NLL", "it", "quoted"],
)
def test_other_names_of_steps_and_losses_are_known(tmp_path, row):
    found = read(tmp_path, "log.jsonl", json.dumps(row) + "\n")
    assert found == [(10, "train", 0.85), (10, "validation", 0.9)]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("card_comma.md", (2000, "train", 4.5418)),
        ("tinker_metrics.jsonl", (0, "train", 1.81)),
        ("trainer_log.jsonl", (10, "train", 0.85)),
    ],
)
def test_public_logs_of_these_kinds_are_read(name, first):
    point = read_log(shared_or_skip(f"data/logs/{name}"))[0]
    assert (point.step, point.split, point.loss_nats) == first


CONSOLE = """\
{'loss': '3.5', 'learning_rate': '5e-05', 'epoch': '0.5'}
\x1b[A{'eval_loss': '3.25', 'eval_runtime': '0.04', 'epoch': '0.5'}
{'loss': '3.0', 'learning_rate': '5e-05', 'epoch': '1'}
"""
PLACED = [(10, "train", 3.5), (10, "validation", 3.25), (20, "train", 3.0)]


def test_a_console_without_steps_takes_them_from_its_run_time_or_its_progress_bar(tmp_path, golden_text):
    ran = "{'train_runtime': '4.0', 'train_steps_per_second': '5.0', 'train_loss': '3.2', 'epoch': '1'}\n"
    assert read(tmp_path, "train.log", CONSOLE + ran) == PLACED
    golden_text("\n".join(read_logs([tmp_path / "train.log"]).notes))
    assert read(tmp_path, "train.log", CONSOLE + " 50% 20/40 [00:10<00:10,  1.94it/s]\n") == PLACED
    golden_text("\n".join(read_logs([tmp_path / "train.log"]).notes))


def test_a_console_that_tells_no_steps_is_refused_and_the_file_that_does_is_named(tmp_path):
    with pytest.raises(LogError) as error:
        read(tmp_path, "train.log", CONSOLE)
    assert "trainer_state.json" not in str(error.value)
    (tmp_path / "checkpoint-20").mkdir()
    (tmp_path / "checkpoint-20" / "trainer_state.json").write_text("{}", encoding="utf-8")
    with pytest.raises(LogError, match=r"checkpoint-20/trainer_state\.json"):
        read(tmp_path, "train.log", CONSOLE)


@pytest.mark.parametrize(("name", "steps"), [("hf4_form.log", [1, 2, 2, 3, 4, 4]), ("hf5_strings.log", [34, 34, 68])])
def test_public_consoles_without_steps_are_read(name, steps):
    assert [p.step for p in read_log(shared_or_skip(f"data/logs/{name}"))] == steps
