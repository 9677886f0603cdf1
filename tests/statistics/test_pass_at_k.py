import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.statistics import pass_at_k


def enumerated(n: int, c: int, k: int) -> float:
    passed = [i < c for i in range(n)]
    drawn = list(combinations(passed, k))
    return sum(any(draw) for draw in drawn) / len(drawn)


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_equals_the_enumeration_of_all_draws(case):
    assert pass_at_k(*case) == pytest.approx(enumerated(*case), abs=1e-12)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_equals_the_binomial_formula_in_exact_integers(case):
    n, c, k = case
    assert pass_at_k(n, c, k) == pytest.approx(1 - math.comb(n - c, k) / math.comb(n, k), abs=1e-9)


@given(st.integers(2, 200).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1), st.integers(1, n - 1))))
def test_never_falls_with_more_passes_or_more_draws(case):
    n, c, k = case
    assert 0 <= pass_at_k(n, c, k) <= pass_at_k(n, c + 1, k) + 1e-12 <= 1 + 2e-12
    assert pass_at_k(n, c, k) <= pass_at_k(n, c, k + 1) + 1e-12


def test_one_draw_is_the_plain_share():
    assert pass_at_k(7, 3, 1) == pytest.approx(3 / 7)


def test_large_numbers_stay_finite():
    assert 0 < pass_at_k(100_000, 1, 1_000) == pytest.approx(0.01)


@pytest.mark.parametrize("case", [(0, 0, 1), (3, 1, 4), (3, 1, 0), (3, 4, 1), (3, -1, 1)])
def test_impossible_counts_are_refused(case):
    with pytest.raises(ValueError, match="of"):
        pass_at_k(*case)
