"""The checks that a checkpoint is held to, on the scorecards of the shipped pair and on changed ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
from documentation import WORDS
from hypothesis import given
from hypothesis import strategies as st
from shipped_records import example_card

from evalharness.gate.checks import (
    CHECKS,
    LEVEL,
    TOLERANCE,
    healthy,
    loss_is_honest,
    max_loop_rate,
    min_pass_at_1,
    no_mode_collapse,
    not_contaminated,
    pass_rate_not_below_baseline,
)
from evalharness.records import Finding, Incomplete, Interval, NotTestable
from evalharness.statistics import compare_pass_at_k

LEAKY, CAUSAL = example_card("leaky"), example_card("causal")


def test_the_leaky_one_fails_what_a_leak_does_and_the_causal_one_passes_all():
    assert {name: check(LEAKY).outcome for name, check in CHECKS.items()} == {
        "no_mode_collapse": "failed",
        "loss_is_honest": "failed",
        "ends_by_itself": "failed",
        "not_contaminated": "passed",
    }
    assert {check(CAUSAL).outcome for check in CHECKS.values()} == {"passed"}


def test_a_failed_check_says_why_with_its_numbers(golden_text):
    golden_text(no_mode_collapse(LEAKY).reason)
    golden_text(loss_is_honest(LEAKY).reason)


def with_shares(verdict="healthy", **shares):
    """The causal checkpoint's card with other shares of degenerate completions, ``(low, high)`` by decoding."""
    rates = {
        name: replace(CAUSAL.degeneration[name], rate=low, low=low, high=high, shares={})
        for name, (low, high) in shares.items()
    }
    return replace(CAUSAL, verdict=verdict, degeneration=rates)


FEW, ENOUGH, MOST = (0.0, 0.3), (0.0, 0.1), (0.9, 1.0)


@pytest.mark.parametrize(
    ("card", "collapse", "health"),
    [
        (with_shares(greedy=ENOUGH, sampled=ENOUGH), "passed", "passed"),
        (with_shares(greedy=ENOUGH), "passed", "passed"),
        (with_shares("not_judged", greedy=ENOUGH, sampled=FEW), "not_evaluated", "not_evaluated"),
        (with_shares(greedy=ENOUGH, sampled=FEW), "not_evaluated", "not_evaluated"),  # as earlier versions wrote it
        (with_shares("not_judged", greedy=FEW), "not_evaluated", "not_evaluated"),
        (with_shares("not_judged"), "not_evaluated", "not_evaluated"),
        (with_shares("degenerating", greedy=MOST), "failed", "failed"),
        (with_shares("degenerating", greedy=MOST, sampled=FEW), "failed", "failed"),
        (with_shares("degenerating", greedy=MOST, sampled=ENOUGH), "passed", "failed"),
        (with_shares("degenerating", sampled=(0.06, 0.25)), "not_evaluated", "failed"),
        (with_shares("degenerating", sampled=(0.06, 0.15)), "passed", "failed"),
        (with_shares("collapsed", greedy=ENOUGH, sampled=MOST), "failed", "failed"),
    ],
)
def test_a_collapse_must_be_ruled_out_and_health_is_the_verdict(card, collapse, health):
    assert (no_mode_collapse(card).outcome, healthy(card).outcome) == (collapse, health)


def test_loops_after_a_finished_answer_do_not_speak_for_a_collapse():
    few = Interval(0.0, 0.0, 0.02)
    shares = {"loop_after_answer": Interval(0.9, 0.8, 0.95), "degenerate_without_answer": few}
    runs_on = replace(CAUSAL.degeneration["sampled"], rate=0.9, low=0.8, high=0.95, shares=shares)
    card = replace(CAUSAL, degeneration={"sampled": runs_on})
    assert (no_mode_collapse(card).outcome, healthy(card).outcome) == ("passed", "passed")
    assert max_loop_rate(card, 0.5).outcome == "failed"


def test_the_greedy_completions_have_a_limit_of_their_own():
    card = with_shares(greedy=(0.3, 0.4), sampled=ENOUGH)
    found = max_loop_rate(card, 0.2, decoding="greedy")
    assert (found.name, found.outcome) == ("max_greedy_loop_rate", "failed")
    assert max_loop_rate(card, 0.35, decoding="greedy").outcome == "passed"
    assert max_loop_rate(card, 0.35, "bound", decoding="greedy").outcome == "failed"
    assert max_loop_rate(with_shares(sampled=ENOUGH), 0.2, decoding="greedy").outcome == "not_evaluated"


def test_a_loss_is_honest_only_where_it_was_recomputed_and_the_attention_was_tested(golden_text):
    unknown = replace(CAUSAL.loss, recomputed_nats=None, honest_nats=None, convention="not recomputed: no data")
    assert loss_is_honest(replace(CAUSAL, loss=unknown)).outcome == "skipped"
    untested = replace(
        CAUSAL,
        protocol=replace(CAUSAL.protocol, attention="not_testable"),
        not_testable=(NotTestable("future_leak", "undecided", "nothing moves the logits"),),
    )
    assert loss_is_honest(untested).outcome == "not_evaluated"
    golden_text(loss_is_honest(untested).reason)
    broken = replace(CAUSAL, incomplete=(Incomplete("diagnosis", "overfit", "ValueError"),))
    assert loss_is_honest(broken).outcome == "not_evaluated"


def test_a_cause_that_was_found_fails_whatever_else_could_not_be_tested():
    assert loss_is_honest(replace(LEAKY, incomplete=(Incomplete("diagnosis", "overfit", "x"),))).outcome == "failed"


@pytest.mark.parametrize(("severity", "outcome"), [("contributing", "failed"), ("note", "passed")])
def test_contamination_fails_where_it_matters(severity, outcome):
    found = Finding("contamination", severity, "3 of 224 problems are in the training rows.", {}, "")
    assert not_contaminated(replace(CAUSAL, findings=(found,))).outcome == outcome


def test_contamination_without_training_data_is_skipped_and_without_a_probe_not_evaluated():
    others = tuple(item for item in CAUSAL.ruled_out if item.probe != "contamination")
    without = replace(CAUSAL, ruled_out=others, not_testable=(NotTestable("contamination", "no_data", "no rows"),))
    assert (not_contaminated(without).outcome, not_contaminated(without).reason) == ("skipped", "no rows")
    assert not_contaminated(replace(without, not_testable=())).outcome == "not_evaluated"


def test_pass_at_1_is_of_all_problems_together_by_its_point_or_its_lower_bound(golden_text):
    # humaneval 1 of 164, warmup 27 of 60
    golden_text(min_pass_at_1(CAUSAL, 0.1).reason)
    assert min_pass_at_1(CAUSAL, 28 / 224).outcome == "passed"
    assert min_pass_at_1(CAUSAL, 28 / 224 + 1e-9).outcome == "failed"
    assert min_pass_at_1(CAUSAL, 0.12, "bound").outcome == "failed"
    assert min_pass_at_1(CAUSAL, 0.05, "bound").outcome == "passed"


def test_the_loop_rate_is_of_the_sampled_completions_by_its_point_or_its_upper_bound():
    assert max_loop_rate(CAUSAL, 0.05).outcome == "passed"  # 4.4 % [2.1, 7.2]
    assert max_loop_rate(CAUSAL, 0.05, "bound").outcome == "failed"
    assert max_loop_rate(LEAKY, 0.99).outcome == "failed"


def test_what_was_not_begun_or_judged_is_not_evaluated():
    assert max_loop_rate(replace(CAUSAL, degeneration={}), 1.0).outcome == "not_evaluated"
    unjudged = {name: {"greedy": {"not_judged": 3}} for name in CAUSAL.outcomes}
    assert min_pass_at_1(replace(CAUSAL, outcomes=unjudged), 0.0).outcome == "not_evaluated"


def held(first: list[int], second: list[int], **settings: float) -> str:
    """How the check goes for counts of four completions a problem."""
    before, now = ({str(i): (4, c) for i, c in enumerate(counts)} for counts in (first, second))
    return pass_rate_not_below_baseline(CAUSAL, compare_pass_at_k(before, now, 1, seed=0), **settings).outcome


def test_a_fall_counts_only_where_it_is_significant_and_beyond_the_tolerance():
    assert held([4] * 100, [4] * 99 + [0]) == "passed"  # bare inequality
    assert held([4] * 100, [4] * 80 + [0] * 20) == "failed"
    assert held([4] * 100, [4] * 80 + [0] * 20, tolerance=0.25) == "passed"
    assert held([4] * 20, [4] * 16 + [0] * 4) == "passed"  # p = 1/16
    assert held([4] * 20, [4] * 16 + [0] * 4, level=0.07) == "failed"


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_the_same_results_never_fall(counts):
    assert held(counts, counts, level=1.0, tolerance=0.0) == "passed"


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_what_rose_never_fails(pairs):
    assert held([min(p) for p in pairs], [max(p) for p in pairs]) == "passed"


def test_without_a_baseline_the_check_is_skipped_and_an_incomplete_score_does_not_pass():
    assert pass_rate_not_below_baseline(CAUSAL, None).outcome == "skipped"
    same = compare_pass_at_k({"a": (1, 1)}, {"a": (1, 1)}, 1, seed=0)
    incomplete = replace(CAUSAL, incomplete=(Incomplete("execution", None, "4 completions could not be judged"),))
    result = pass_rate_not_below_baseline(incomplete, same)
    assert (result.outcome, result.reason) == ("not_evaluated", "4 completions could not be judged")


def test_the_defaults_are_those_of_the_documentation():
    assert (LEVEL, TOLERANCE) == (0.05, 0.02)
    assert "level 0.05" in WORDS
    assert "2 points" in WORDS
