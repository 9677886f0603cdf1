import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from evalharness.statistics import exact_share, share_over_problems, wilson

cases = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
shares = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=40)


def covered(n: int, share: float) -> float:
    """How often the exact interval holds the true share: every outcome by its chance."""
    intervals = [exact_share(successes, n) for successes in range(n + 1)]
    chances = binom.pmf(np.arange(n + 1), n, share)
    return float(sum(c for c, i in zip(chances, intervals, strict=True) if i.low <= share <= i.high))


@pytest.mark.parametrize("n", [1, 2, 5, 20, 60, 164])
def test_it_covers_every_share_95_times_in_100(n):
    assert min(covered(n, share) for share in np.linspace(0.001, 0.999, 173)) >= 0.95 - 1e-9


def test_wilson_does_not():
    share, n = 0.0278, 20
    held = [i.low <= share <= i.high for i in (wilson(s, n) for s in range(n + 1))]
    assert binom.pmf(np.arange(n + 1), n, share) @ held < 0.9
    assert covered(n, share) > 0.95


@given(cases)
def test_it_lies_within_that_of_clopper_and_pearson_but_at_the_ends(case):
    successes, n = case
    interval = exact_share(successes, n)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    if 0 < successes < n:
        assert interval.low >= beta.ppf(0.025, successes, n - successes + 1) - 1e-9
        assert interval.high <= beta.ppf(0.975, successes + 1, n - successes) + 1e-9


@given(cases)
def test_it_mirrors_and_rises(case):
    successes, n = case
    interval, mirrored = exact_share(successes, n), exact_share(n - successes, n)
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)
    if successes < n:
        above = exact_share(successes + 1, n)
        assert interval.low <= above.low
        assert interval.high <= above.high


def test_nothing_of_164_is_up_to_2_3_percent():
    assert exact_share(0, 164) == wilson(0, 164)
    assert round(100 * exact_share(0, 164).high, 1) == 2.3
    assert round(100 * exact_share(164, 164).low, 1) == 97.7


@given(shares, st.integers(1, 20))
@settings(deadline=None)
def test_a_share_over_problems_is_within_its_interval_and_the_order_does_not_matter(values, each):
    interval = share_over_problems(values, completions=each * len(values))
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    assert interval.estimate == pytest.approx(np.mean(values))
    again = share_over_problems(values[::-1], completions=each * len(values))
    assert (again.low, again.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


@given(shares)
@settings(deadline=None)
def test_it_is_never_wider_than_if_each_problem_were_passed_or_not(values):
    interval, n = share_over_problems(values, completions=4 * len(values)), len(values)
    successes = sum(values)
    if 0 < successes < n and set(values) - {0.0, 1.0}:
        assert interval.low >= beta.ppf(0.025, successes, n - successes + 1) - 1e-9
        assert interval.high <= beta.ppf(0.975, successes + 1, n - successes) + 1e-9


def test_problems_that_vary_little_have_a_narrow_interval():
    alike = share_over_problems([0.25, 0.5, 0.25, 0.5] * 41, completions=4 * 164)
    apart = share_over_problems([0.0, 0.75, 0.0, 0.75] * 41, completions=4 * 164)
    assert alike.estimate == apart.estimate == 0.375
    assert alike.high - alike.low < 0.7 * (apart.high - apart.low)


@pytest.mark.parametrize("values", [[], [1.5], [-0.1, 0.5], [float("nan")]])
def test_what_is_no_share_is_refused(values):
    with pytest.raises(ValueError, match="problem"):
        share_over_problems(values, completions=4)


@pytest.mark.parametrize("weights", [[1.0, 0.0], [1.0, -1.0], [1.0]])
def test_a_weight_that_is_not_above_0_is_refused(weights):
    with pytest.raises(ValueError, match="weight"):
        share_over_problems([0.25, 0.5], completions=8, weights=weights)


@given(shares, st.floats(0.1, 10))
@settings(deadline=None)
def test_equal_weights_of_any_size_change_nothing(values, weight):
    plain = share_over_problems(values, completions=4 * len(values))
    weighted = share_over_problems(values, completions=4 * len(values), weights=[weight] * len(values))
    assert (weighted.low, weighted.high) == (pytest.approx(plain.low), pytest.approx(plain.high))


def test_a_mean_over_few_problems_that_only_some_of_are_solved_for_sure_is_covered():
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        chances = np.where(rng.random(60) < 0.025, 1.0, 0.025 / 0.975)  # half of the mean from the few that always pass
        interval = share_over_problems(rng.binomial(4, chances) / 4, completions=240)
        covered += interval.low <= 0.05 <= interval.high
    assert covered / 400 >= 0.94  # a bootstrap over problems has 0.87 there
