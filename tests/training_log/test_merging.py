import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.records import LossPoint
from evalharness.training_log import merge


def log(name: str, *steps: int, split: str = "train", time_s: float | None = None) -> list[LossPoint]:
    return [LossPoint(step, split, 1.0, f"{name}:{at}", None, time_s) for at, step in enumerate(steps)]


def where(logs: list[list[LossPoint]]) -> dict[int, str]:
    points, _ = merge(logs)
    return {point.step: point.source.split(":")[0] for point in points}


def test_a_restart_counts_for_the_steps_it_repeats_and_what_lies_beyond_is_kept():
    found, notes = merge([log("a", 10, 20, 30, 40, 50), log("b", 30, 40)])
    assert [p.source for p in found] == ["a:0", "a:1", "b:0", "b:1", "a:4"]
    assert notes == [
        "2 losses were logged again after a restart: the later ones count",
        "steps 50 to 50 have losses from before a restart that did not repeat them",
    ]


def test_a_step_that_the_restart_passed_without_logging_it_is_not_taken_from_before():
    assert where([log("a", 10, 20, 30), log("b", 15, 25, 35)]) == {10: "a", 15: "b", 25: "b", 35: "b"}


def test_steps_that_go_backwards_in_one_file_are_a_restart(golden_text):
    found, notes = merge([log("a", 10, 20, 30, 20, 30, 40)])
    assert [p.source for p in found] == ["a:0", "a:3", "a:4", "a:5"]
    golden_text(notes[0])


def test_a_validation_that_is_printed_after_the_next_step_is_no_restart():
    train, validation = log("a", 10, 20), log("a", 10, split="validation")
    found, notes = merge([[*train, *validation]])
    assert len(found) == 3
    assert not notes


def test_a_file_of_one_split_does_not_replace_the_other():
    train, validation = log("a", 10, 20), log("b", 10, 20, split="validation")
    assert len(merge([train, validation])[0]) == 4
    assert len(merge([[*train, *validation]])[0]) == 4


def test_of_a_step_that_is_logged_twice_the_last_counts():
    assert [p.source for p in merge([log("a", 10, 10)])[0]] == ["a:1"]


def test_times_tell_the_order_where_all_have_some_else_the_order_given():
    early, late = log("early", 10, 20, time_s=1e9), log("late", 10, 20, time_s=2e9)
    assert set(where([late, early]).values()) == {"late"}
    without = [dataclasses.replace(point, time_s=None) for point in late]
    assert set(where([without, early]).values()) == {"early"}


def test_nothing_is_nothing():
    assert merge([]) == ([], [])
    assert merge([[]]) == ([], [])


steps = st.lists(st.integers(0, 30), max_size=12)


@given(st.lists(steps, max_size=4))
def test_each_step_stands_once_in_order_and_the_last_log_is_there_whole(logs):
    named = [log(str(i), *steps) for i, steps in enumerate(logs)]
    found, _ = merge(named)
    assert [p.step for p in found] == sorted({p.step for p in found})
    assert {p.step for p in found} <= {step for steps in logs for step in steps}
    if logs and logs[-1] == sorted(set(logs[-1])):
        assert {p.step for p in found if p.source.startswith(f"{len(logs) - 1}:")} == set(logs[-1])


@given(st.sets(st.integers(0, 99)))
def test_a_run_that_was_never_interrupted_is_as_it_was(steps):
    points = log("a", *sorted(steps))
    assert merge([points]) == (points, [])


def test_ten_thousand_restarts_take_no_time():
    points = [point for start in range(10_000) for point in log("a", start, start + 1, start + 2)]
    assert len(merge([points])[0]) == 10_002


@pytest.mark.parametrize("logs", [[[5, 6], [1, 2]], [[1, 2], [5, 6]]])
def test_a_restart_further_back_or_further_on_keeps_what_it_does_not_repeat(logs):
    assert sorted(where([log(str(i), *steps) for i, steps in enumerate(logs)])) == [1, 2, 5, 6]
