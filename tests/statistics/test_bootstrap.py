import numpy as np
import pytest

from evalharness.statistics import percentile_interval, resampled_sums


def sums(values, seed=0, **how):
    rows = np.asarray(values, dtype=np.float64)
    return np.concatenate(list(resampled_sums(rows, np.random.default_rng(seed), **how)))


def test_every_resample_has_as_many_rows_and_draws_whole_rows():
    drawn = sums([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]], resamples=500)
    assert drawn.shape == (500, 2)
    assert np.allclose(drawn[:, 1], 10 * drawn[:, 0])
    assert drawn[:, 0].min() == 3.0
    assert drawn[:, 0].max() == 12.0


def test_the_parts_are_the_same_resamples_whatever_their_size():
    values = np.random.default_rng(3).uniform(size=(20, 2))
    assert np.array_equal(sums(values, resamples=100, at_once=10), sums(values, resamples=100, at_once=100))


def test_the_interval_has_the_width_of_the_normal_approximation():
    values = np.random.default_rng(0).uniform(size=(500, 1))
    found = percentile_interval(float(values.mean()), sums(values)[:, 0] / 500)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(500), rel=0.05)


def test_an_interval_contains_its_estimate():
    found = percentile_interval(0.5, np.full(100, 0.25))
    assert (found.low, found.high) == (0.25, 0.5)
