import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.statistics import bootstrap_over_problems, exact_share, pass_at_k_interval, share_interval, wilson

counts_of_shares = st.integers(1, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
flags = st.dictionaries(st.text(max_size=3), st.lists(st.booleans(), max_size=5), min_size=1, max_size=12).filter(
    lambda problems: any(problems.values())
)


def is_sound(interval) -> bool:
    return 0 <= interval.low <= interval.estimate <= interval.high <= 1


@pytest.mark.parametrize(
    ("successes", "n", "low_percent", "high_percent"),
    [(0, 164, 0.0, 2.3), (164, 164, 97.7, 100.0), (5, 10, 23.7, 76.3), (1, 10, 1.8, 40.4), (81, 263, 25.5, 36.6)],
)
def test_wilson_gives_the_known_values(successes, n, low_percent, high_percent):
    interval = wilson(successes, n)
    assert round(interval.low * 100, 1) == low_percent
    assert round(interval.high * 100, 1) == high_percent


@given(counts_of_shares, st.floats(0.5, 0.999))
def test_wilson_contains_its_estimate_and_stays_a_share(case, confidence):
    assert is_sound(wilson(*case, confidence))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_wilson_rises_with_the_successes(case):
    successes, n = case
    below, above = wilson(successes, n), wilson(successes + 1, n)
    assert below.low < above.low or below.low == above.low == 0
    assert below.high < above.high or below.high == above.high == 1


@given(counts_of_shares)
def test_wilson_mirrors(case):
    successes, n = case
    interval, mirrored = wilson(successes, n), wilson(n - successes, n)
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)


@pytest.mark.parametrize("case", [(0, 0), (-1, 5), (6, 5), (1, 2, 1.0)])
def test_wilson_refuses_what_is_no_share(case):
    with pytest.raises(ValueError, match=r"expected|no interval"):
        wilson(*case)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_bootstrap_contains_its_mean_and_stays_a_share(values, seed):
    interval = bootstrap_over_problems(values, resamples=200, seed=seed)
    assert is_sound(interval)
    assert interval.estimate == pytest.approx(np.mean(values))


def test_bootstrap_is_the_same_for_one_seed_and_any_order():
    values = list(np.random.default_rng(0).uniform(size=50))
    assert bootstrap_over_problems(values, seed=3) == bootstrap_over_problems(values[::-1], seed=3)
    assert bootstrap_over_problems(values, seed=3) != bootstrap_over_problems(values, seed=4)


def test_bootstrap_has_the_width_of_the_normal_approximation_where_that_holds():
    values = np.random.default_rng(0).uniform(size=500)
    interval = bootstrap_over_problems(list(values), seed=0)
    expected = 2 * 1.96 * values.std() / np.sqrt(500)
    assert interval.high - interval.low == pytest.approx(expected, rel=0.05)


def test_where_all_problems_agree_the_binomial_bound_stands():
    assert bootstrap_over_problems([0.0] * 164, seed=0) == wilson(0, 164)
    assert bootstrap_over_problems([1.0] * 164, seed=0) == wilson(164, 164)
    assert bootstrap_over_problems([0.5] * 60, seed=0) == wilson(30, 60)


@pytest.mark.parametrize("values", [[], [1.5], [-0.1, 0.5], [float("nan")]])
def test_bootstrap_refuses_what_is_no_share(values):
    with pytest.raises(ValueError, match="problem"):
        bootstrap_over_problems(values, seed=0)


def test_bootstrap_refuses_no_resamples():
    with pytest.raises(ValueError, match="resamples"):
        bootstrap_over_problems([0.0, 1.0], resamples=0, seed=0)


def test_one_completion_a_problem_has_the_exact_interval_and_shares_of_completions_wilsons():
    assert pass_at_k_interval([(1, 1)] * 3 + [(1, 0)] * 61, 1) == exact_share(3, 64)
    assert share_interval({"a": [True], "b": [False], "c": [False]}, seed=0) == wilson(1, 3)


def test_several_completions_a_problem_that_all_agree_are_no_more_than_one():
    interval = pass_at_k_interval([(4, 4)] * 10 + [(4, 0)] * 10, 1)
    assert interval == exact_share(10, 20)
    # Forty of eighty completions would have an interval of half that width, and a wrong one.
    assert interval.high - interval.low > 1.5 * (exact_share(40, 80).high - exact_share(40, 80).low)


def test_pass_at_k_of_as_many_completions_as_k_has_the_exact_interval_over_problems():
    assert pass_at_k_interval([(4, 1)] * 5 + [(4, 0)] * 15, 4) == exact_share(5, 20)
    assert pass_at_k_interval([(4, 0)] * 164, 4) == exact_share(0, 164)


def test_no_problems_is_refused():
    with pytest.raises(ValueError, match="no problems"):
        pass_at_k_interval([], 1)
    with pytest.raises(ValueError, match="no problems"):
        share_interval({"a": []}, seed=0)


@given(flags, st.integers(0, 100))
@settings(deadline=None, max_examples=50)
def test_share_interval_contains_the_pooled_share(flags_by_problem, seed):
    interval = share_interval(flags_by_problem, seed)
    pooled = [flag for problem in flags_by_problem.values() for flag in problem]
    assert is_sound(interval)
    assert interval.estimate == pytest.approx(np.mean(pooled))


def test_share_interval_resamples_problems_and_not_completions():
    clustered = {str(i): [i % 2 == 0] * 8 for i in range(20)}
    mixed = {str(i): [True, False] * 4 for i in range(19)} | {"19": [True] * 3 + [False] * 5}
    wide, narrow = share_interval(clustered, seed=0), share_interval(mixed, seed=0)
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_share_interval_of_agreeing_problems_counts_problems():
    assert share_interval({str(i): [True] * 4 for i in range(60)}, seed=0) == wilson(60, 60)
    assert share_interval({str(i): [False] * (1 + i % 3) for i in range(60)}, seed=0) == wilson(0, 60)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(7)
    binomial = [wilson(int(c), 164) for c in rng.binomial(164, 0.1, size=1_000)]
    assert 0.93 < np.mean([i.low <= 0.1 <= i.high for i in binomial]) < 0.975
    covered = 0
    for trial in range(300):
        chances = rng.beta(0.5, 1.5, size=100)  # mean 0.25: problems differ far more than chance
        values = rng.binomial(4, chances) / 4
        interval = bootstrap_over_problems(list(values), resamples=500, seed=trial)
        covered += interval.low <= 0.25 <= interval.high
    assert 0.90 < covered / 300 < 0.985
