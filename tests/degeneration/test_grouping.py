"""Equal values are found without comparing all of them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.degeneration import grouping

VALUES = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2**64 - 1)), max_size=60)


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch):
    """Buckets of a few values, so that short lists have several."""
    monkeypatch.setattr(grouping, "BUCKET_VALUES", 4)


@given(VALUES)
def test_equal_ones_stand_side_by_side_and_the_earlier_first(values):
    order, same = grouping.order_of_equals(np.array(values, dtype=np.uint64))
    in_order = [values[i] for i in order]
    assert sorted(order.tolist()) == list(range(len(values)))
    assert same.tolist() == [a == b for a, b in pairwise(in_order)]
    assert same.sum() == len(values) - len(set(values))
    assert all(a < b for a, b, is_same in zip(order, order[1:], same, strict=False) if is_same)


@given(VALUES)
def test_the_different_ones_are_counted(values):
    assert grouping.count_different(np.array(values, dtype=np.uint64)) == len(set(values))


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2), max_size=60))
def test_values_are_numbered_in_the_order_in_which_they_appear(values):
    numbers, count = grouping.numbered(np.array(values, dtype=np.int64))
    different = list(dict.fromkeys(values))
    assert count == len(different)
    assert [different[number] for number in numbers] == values


def test_a_hundred_thousand_values_fill_more_buckets_than_one():
    values = np.arange(100_000, dtype=np.uint64) // np.uint64(2)
    assert grouping.count_different(values) == 50_000
