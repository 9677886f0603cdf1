import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from evalharness.statistics import sign_test


@pytest.mark.parametrize(("better", "worse", "p"), [(0, 0, 1.0), (10, 0, 2 / 1024), (1, 1, 1.0), (8, 1, 20 / 512)])
def test_it_is_the_exact_binomial_probability(better, worse, p):
    assert sign_test(better, worse) == pytest.approx(p)


@given(st.integers(0, 60), st.integers(0, 60))
def test_it_does_not_matter_which_way_is_called_better(better, worse):
    assert sign_test(better, worse) == pytest.approx(sign_test(worse, better))
    assert 0 < sign_test(better, worse) <= 1


@given(st.integers(0, 500), st.integers(0, 500))
def test_it_is_that_of_scipy(better, worse):
    expected = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert sign_test(better, worse) == pytest.approx(expected, rel=1e-9)


def test_counts_below_zero_are_refused(golden_text):
    with pytest.raises(ValueError) as error:
        sign_test(-1, 3)
    golden_text(error)
