"""The binomial distribution against that of scipy.stats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from evalharness.statistics import binomial

CASES = st.integers(0, 2_000).flatmap(lambda n: st.tuples(st.integers(-2, n + 2), st.just(n), st.floats(0, 1)))


@given(CASES)
def test_the_tails_are_those_of_scipy(case: tuple[int, int, float]) -> None:
    k, n, p = case
    assert binomial.at_most(k, n, p) == pytest.approx(binom.cdf(k, n, p), rel=1e-9, abs=1e-300)
    assert binomial.at_least(k, n, p) == pytest.approx(binom.sf(k - 1, n, p), rel=1e-9, abs=1e-300)


@given(CASES.filter(lambda case: 1e-6 < case[2] < 1 - 1e-6))  # below, that of scipy may overflow
def test_a_number_of_successes_is_as_likely_as_scipy_says(case: tuple[int, int, float]) -> None:
    k, n, p = case
    inside = min(max(k, 0), n)
    assert binomial.exactly(inside, n, p) == pytest.approx(binom.pmf(inside, n, p), rel=1e-8, abs=1e-250)


@given(st.floats(1e-9, 1 - 1e-9), st.integers(0, 2_000), st.floats(0.001, 0.999))
def test_the_quantile_is_the_least_number_that_has_the_probability(q: float, n: int, p: float) -> None:
    k = binomial.quantile(q, n, p)
    assert binomial.at_most(k, n, p) >= q
    assert k == 0 or binomial.at_most(k - 1, n, p) < q


@given(st.floats(0.001, 0.999), st.lists(st.integers(0, 300), min_size=1, max_size=9))
def test_arrays_give_what_single_numbers_do(p: float, numbers: list[int]) -> None:
    n = np.array(numbers)
    for name in ("at_most", "at_least", "exactly"):
        function = getattr(binomial, name)
        assert list(function(n // 2, n, p)) == [function(k // 2, k, p) for k in numbers]
    assert list(binomial.quantile(0.025, n, p)) == [binomial.quantile(0.025, k, p) for k in numbers]
