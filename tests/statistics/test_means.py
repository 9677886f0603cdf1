import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.statistics import mean_over_rows

ROWS = st.dictionaries(st.integers(0, 50), st.lists(st.floats(0, 20), min_size=1, max_size=6), min_size=2, max_size=12)


@given(ROWS)
def test_the_estimate_is_the_mean_of_all_values_and_lies_within_its_interval(rows):
    found = mean_over_rows(rows, seed=0)
    assert found.estimate == pytest.approx(np.mean([v for values in rows.values() for v in values]))
    assert found.low <= found.estimate <= found.high


def test_the_same_seed_gives_the_same_interval_and_another_one_does_not():
    rows = {i: [float(i), i / 2] for i in range(20)}
    assert mean_over_rows(rows, seed=1) == mean_over_rows(rows, seed=1)
    assert mean_over_rows(rows, seed=1) != mean_over_rows(rows, seed=2)


def test_the_interval_is_over_rows_and_not_over_values():
    rows = {i: [float(i % 2)] * 100 for i in range(20)}
    found = mean_over_rows(rows, seed=0)
    # Twenty coins, not two thousand: the half width is near 1.96 times 0.5 / sqrt(20).
    assert 0.15 < found.high - found.estimate < 0.3


def test_one_row_has_no_interval():
    assert mean_over_rows({3: [1.0, 2.0], 4: []}, seed=0).low == -math.inf


def test_nothing_has_no_mean(golden_text):
    with pytest.raises(ValueError) as error:
        mean_over_rows({1: []}, seed=0)
    golden_text(error)
