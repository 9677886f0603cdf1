import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from evalharness.statistics import compare_pass_at_k, compare_shares, has_fallen, paired_difference
from evalharness.statistics.comparison import detectable_by_mcnemar, mcnemar, power_of_mcnemar, sign_flips

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30)


def counts(passed: list[int], n: int = 1) -> dict[str, tuple[int, int]]:
    return {f"t/{i}": (n, c) for i, c in enumerate(passed)}


def test_one_completion_is_mcnemars_test_on_the_problems_that_flipped():
    first, second = [1] * 12 + [0] * 8, [1] * 2 + [0] * 10 + [1] * 1 + [0] * 7
    found = compare_pass_at_k(counts(first), counts(second), 1, seed=0)
    assert found.test == "exact McNemar"
    assert (len(found.gained), len(found.lost)) == (1, 10)
    assert found.gained == ("t/12",)
    assert found.p_value == pytest.approx(2 * 12 / 2**11)
    assert found.p_fall == pytest.approx(12 / 2**11)
    assert found.difference.estimate == pytest.approx(-9 / 20)
    assert found.difference.high < 0


def test_several_completions_are_tested_by_flipping_signs():
    found = compare_pass_at_k(counts([4, 3, 2, 4, 1, 3, 4, 2], 4), counts([0, 1, 0, 2, 0, 1, 1, 1], 4), 1, seed=0)
    assert found.test == "sign flips"
    # All eight fell: only all of 2**8 signs alike are as far.
    assert found.p_value == pytest.approx(2 / 2**8, abs=0.004)
    assert found.p_fall == pytest.approx(1 / 2**8, abs=0.003)


def test_problems_that_only_one_has_are_counted_and_left_out(golden_text):
    found = compare_pass_at_k({"a": (1, 1), "b": (1, 0)}, {"b": (1, 1), "c": (1, 1), "d": (1, 0)}, 1, seed=0)
    assert (found.problems, found.unpaired) == (1, 3)
    with pytest.raises(ValueError) as error:
        compare_pass_at_k({"a": (1, 1)}, {"b": (1, 1)}, 1, seed=0)
    golden_text(error)


def test_shares_of_completions_are_compared_by_problem():
    first, second = {"a": [True, False], "b": [False], "c": []}, {"a": [True, True], "b": [True], "c": [True]}
    found = compare_shares(first, second, seed=0)
    assert (found.problems, found.gained, found.lost) == (2, ("a", "b"), ())
    assert found.difference.estimate == 0.75


def test_two_equal_checkpoints_do_not_differ_and_say_what_would_have_been_seen():
    same = counts([1, 0] * 30)
    found = compare_pass_at_k(same, same, 1, seed=0)
    assert (found.p_value, found.p_fall, found.difference.estimate) == (1.0, 1.0, 0.0)
    assert found.difference.low < 0 < found.difference.high
    assert 0.05 < found.detectable < 0.2


@given(pairs)
@settings(deadline=None, max_examples=40)
def test_swapping_the_two_mirrors_the_comparison(passed):
    first, second = (counts([pair[i] for pair in passed], 4) for i in (0, 1))
    found, swapped = compare_pass_at_k(first, second, 1, seed=0), compare_pass_at_k(second, first, 1, seed=0)
    assert (found.gained, found.lost) == (swapped.lost, swapped.gained)
    assert found.difference.low == pytest.approx(-swapped.difference.high)
    assert found.difference.low <= found.difference.estimate <= found.difference.high
    assert found.p_value == pytest.approx(swapped.p_value, abs=0.03)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_a_binomial_test_over_those_that_flipped(gained, lost):
    both, fall = mcnemar(gained, lost)
    assert 0 < both <= 1
    if gained + lost:
        assert both == pytest.approx(binomtest(gained, gained + lost).pvalue)
    assert mcnemar(gained + 1, lost)[1] >= fall


@given(st.integers(0, 12), st.integers(0, 12))
@settings(deadline=None, max_examples=25)
def test_flipping_signs_of_ones_is_mcnemars_test(gained, lost):
    both, fall = sign_flips([1.0] * gained + [-1.0] * lost + [0.0] * 5, seed=0)
    expected = mcnemar(gained, lost)
    assert (both, fall) == (pytest.approx(expected[0], abs=0.03), pytest.approx(expected[1], abs=0.03))


def test_a_paired_difference_needs_pairs(golden_text):
    for first, second in (([], []), ([0.5], [0.5, 0.5])):
        with pytest.raises(ValueError) as error:
            paired_difference(first, second)
        golden_text(error)


def test_the_interval_of_a_difference_is_that_of_bonett_and_price():
    # 50 pairs, 2 only in the first and 12 only in the second: the worked formula of the paper.
    first, second = [1] * 2 + [0] * 48, [0] * 2 + [1] * 12 + [0] * 36
    found = paired_difference(first, second)
    up, down, n = 13 / 52, 3 / 52, 52
    half = 1.959964 * np.sqrt((up + down - (up - down) ** 2) / n)
    assert (found.low, found.high) == (pytest.approx(up - down - half), pytest.approx(up - down + half))
    assert found.estimate == pytest.approx(0.2)


def test_a_fall_is_one_where_it_is_significant_and_beyond_the_tolerance():
    fallen = compare_pass_at_k(counts([1] * 10 + [0] * 90), counts([0] * 100), 1, seed=0)
    assert has_fallen(fallen)
    assert has_fallen(fallen, tolerance=0.09)
    assert not has_fallen(fallen, tolerance=0.1)
    assert not has_fallen(fallen, level=0.0005)
    risen = compare_pass_at_k(counts([0] * 100), counts([1] * 10 + [0] * 90), 1, seed=0)
    assert not has_fallen(risen)


def test_the_power_is_what_a_simulation_finds():
    rng = np.random.default_rng(0)
    up, down, n, trials = 0.05, 0.2, 60, 2_000
    lost = rng.binomial(n, down, trials)
    gained = rng.binomial(n - lost, up / (1 - down))
    shown = np.mean([mcnemar(g, d)[0] <= 0.05 and d > g for g, d in zip(gained, lost, strict=True)])
    assert power_of_mcnemar(n, up + down, down - up) == pytest.approx(shown, abs=0.035)
    one_sided = np.mean([mcnemar(g, d)[1] <= 0.05 for g, d in zip(gained, lost, strict=True)])
    assert power_of_mcnemar(n, up + down, down - up, sided=1) == pytest.approx(one_sided, abs=0.035)


@given(st.integers(1, 200), st.floats(0, 1))
@settings(deadline=None, max_examples=40)
def test_without_a_difference_the_test_keeps_its_level(n, flips):
    assert power_of_mcnemar(n, flips, 0.0) <= 0.025 + 1e-9
    assert power_of_mcnemar(n, flips, 0.0, sided=1) <= 0.05 + 1e-9


@given(st.integers(6, 200).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
@settings(deadline=None, max_examples=30)
def test_the_detectable_difference_is_the_least_that_has_the_power(case):
    n, flipped = case
    least = detectable_by_mcnemar(n, flipped)
    assert power_of_mcnemar(n, max(flipped / n, least), least) >= 0.8
    less = least - 0.001
    assert power_of_mcnemar(n, max(flipped / n, less), less) < 0.8


def test_five_problems_show_nothing():
    assert detectable_by_mcnemar(5, 0) is None
    with pytest.raises(ValueError, match="difference"):
        power_of_mcnemar(5, 0.1, 0.2)
