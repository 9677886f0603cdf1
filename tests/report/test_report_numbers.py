from typing import get_args

import pytest

from evalharness.degeneration import Kind
from evalharness.records import CheckpointInfo, DegenerationRate, Interval, KindRate, Loss
from evalharness.report import checkpoint_name
from evalharness.report.loss_verdict import loss_relation
from evalharness.report.numbers import nats, nats_interval, percent_interval, times
from evalharness.report.shares import KIND_LABELS, KINDS, kinds_by_count, of_all
from evalharness.statistics.plurals import counted

INF = float("inf")


def test_a_share_is_never_a_bare_number():
    assert percent_interval(Interval(0.0, 0.0, 0.0229)) == "0.0 % [0.0, 2.3]"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123, "0.0123"),
        (0.0, "0.0000"),
        (0.2224, "0.2224"),
        (4.2131, "4.213"),
        (0.00004, "4.0e-05"),
        (1e6, "1e+06"),
        (INF, "inf"),
    ],
)
def test_losses_have_as_many_decimals_as_neighbours_need_to_differ(value, text):
    assert nats(value) == text


def test_an_interval_without_bounds_is_none():
    assert nats_interval(Interval(1.5, -INF, INF)) == "1.500 (no interval)"


def test_what_could_not_be_judged_is_no_failure():
    assert of_all({"passed": 2, "failed": 3, "not_judged": 5}) == "2 of 5"


def test_kinds_come_by_their_count():
    counts = {"block": 1, "token": 7, "line": 1, "empty": 0}
    kinds = {kind: KindRate(count, count / 9, 0.0, 1.0) for kind, count in counts.items()}
    assert (
        kinds_by_count(DegenerationRate(1, 1, 1, 9, kinds, {}, None))
        == "7 repeated token, 1 repeated block, 1 repeated line"
    )


def test_every_kind_is_explained_in_the_order_of_their_type():
    assert tuple(KINDS) == get_args(Kind)


def test_only_kinds_have_labels():
    assert set(KIND_LABELS) <= set(KINDS)


def test_one_thing_is_not_called_many():
    assert (counted(1, "token"), counted(1200, "token"), counted(0, "loop")) == ("1 token", "1,200 tokens", "0 loops")


@pytest.mark.parametrize(
    ("recomputed", "honest", "relation"),
    [
        (Interval(1, 0.9, 1.1), Interval(1, 0.9, 1.1), "agree"),
        (Interval(1, 0.9, 1.1), Interval(2, 1.9, 2.1), "misleads"),
        (Interval(2, 1.9, 2.1), Interval(1, 0.9, 1.1), "differ"),
        (Interval(1, 0.9, 1.1), None, "not_measured"),
        (Interval(1, -INF, INF), Interval(2, -INF, INF), "not_measured"),
    ],
)
def test_losses_agree_if_their_intervals_overlap(recomputed, honest, relation):
    assert loss_relation(Loss(None, None, recomputed, honest, "")) == relation


def test_a_step_is_named_once():
    def name(path, step):
        return checkpoint_name(CheckpointInfo(path, "", step, 1, ""))

    assert name("runs/leaky/", 600) == "leaky, step 600"
    assert name("runs/lora_step600", 600) == "lora_step600"
    assert name("model.pt", None) == "model.pt"


def test_factors_are_rounded_to_what_is_known():
    assert [times(ratio) for ratio in (1.25, 354.03, 12345.6)] == ["1.2 times", "354 times", "about 12,000 times"]
