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
    assert f"card.md: {DECIMAL_COMMAS}" in read_logs([tmp_path / "card.md"]).notes


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


def test_losses_of_several_runs_are_refused_with_their_names(tmp_path):
    header = '"Step","first - train/loss","first - train/loss__MIN","second - train/loss"\n'
    with pytest.raises(LogError, match=r"2 runs \(first, second\)"):
        read(tmp_path, "wandb.csv", header + '"0","25.48","25.48","10.98"\n')
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
