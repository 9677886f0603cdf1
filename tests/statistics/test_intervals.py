import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.statistics import exact_share, pass_at_k_interval, share_interval, wilson

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
def test_wilson_refuses_what_is_no_share(case, golden_text):
    with pytest.raises(ValueError) as error:
        wilson(*case)
    golden_text(error)


def test_pass_at_1_and_a_share_of_completions_have_the_same_interval():
    assert pass_at_k_interval([(1, 1)] * 3 + [(1, 0)] * 61, 1) == exact_share(3, 64)
    assert share_interval({str(i): [i < 3] for i in range(64)}) == exact_share(3, 64)
    several = {str(i): [j < i % 5 for j in range(4)] for i in range(30)}
    assert share_interval(several) == pass_at_k_interval([(4, sum(flags)) for flags in several.values()], 1)


def test_several_completions_of_a_problem_that_all_agree_are_no_more_than_one():
    interval = pass_at_k_interval([(4, 4)] * 10 + [(4, 0)] * 10, 1)
    assert interval == exact_share(10, 20)
    # Forty of eighty completions would have an interval of half that width, and a wrong one.
    assert interval.high - interval.low > 1.5 * (exact_share(40, 80).high - exact_share(40, 80).low)


def test_pass_at_k_of_as_many_completions_as_k_has_the_exact_interval_over_problems():
    assert pass_at_k_interval([(4, 1)] * 5 + [(4, 0)] * 15, 4) == exact_share(5, 20)
    assert pass_at_k_interval([(4, 0)] * 164, 4) == exact_share(0, 164)


def test_no_problems_is_refused(golden_text):
    with pytest.raises(ValueError) as error:
        pass_at_k_interval([], 1)
    golden_text(error)
    with pytest.raises(ValueError) as error:
        share_interval({"a": []})
    golden_text(error)


@given(flags)
@settings(deadline=None, max_examples=50)
def test_a_share_of_completions_is_that_of_all_and_lies_within_its_interval(flags_by_problem):
    interval = share_interval(flags_by_problem)
    pooled = [flag for problem in flags_by_problem.values() for flag in problem]
    assert is_sound(interval)
    assert interval.estimate == pytest.approx(np.mean(pooled))


def test_problems_count_and_not_completions():
    clustered = {str(i): [i % 2 == 0] * 8 for i in range(20)}
    mixed = {str(i): [True, False] * 4 for i in range(19)} | {"19": [True] * 3 + [False] * 5}
    wide, narrow = share_interval(clustered), share_interval(mixed)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    assert share_interval({str(i): [True] * 4 for i in range(60)}) == exact_share(60, 60)


def test_one_problem_with_most_of_the_completions_is_hardly_more_than_one_problem():
    lopsided = {"large": [False] * 400} | {str(i): [False] for i in range(19)}
    alike = {str(i): [False] * 20 for i in range(20)}
    assert share_interval(alike).high < 0.17
    assert share_interval(lopsided).high > 0.9


@pytest.mark.parametrize("number", [20, 60, 164, 224])
def test_the_share_that_the_verdict_rests_on_is_held_though_few_problems_decide_it(number):
    """Half of the rate of 5 % is from problems that always loop: a bootstrap over problems holds it in 86 to 93 %."""
    rng, trials = np.random.default_rng(11), 400
    chances = np.where(rng.random((trials, number)) < 0.025, 1.0, 0.025 / 0.975)
    sizes = rng.integers(1, 5, number)  # some were never begun
    held = 0
    for loops in rng.binomial(sizes, chances):
        pairs = zip(loops, sizes, strict=True)
        interval = share_interval({str(i): [j < n for j in range(of)] for i, (n, of) in enumerate(pairs)})
        held += interval.low <= 0.05 <= interval.high
    assert held / trials >= 0.94


def test_wilsons_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(7)
    binomial = [wilson(int(c), 164) for c in rng.binomial(164, 0.1, size=1_000)]
    assert 0.93 < np.mean([i.low <= 0.1 <= i.high for i in binomial]) < 0.975
