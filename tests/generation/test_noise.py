import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evalharness.generation import Noise

GOLDEN = {
    (0, "HumanEval/0", 0, 0): 0.9314826199521344,
    (0, "HumanEval/0", 0, 1): 0.45374874519143504,
    (7, "warmup/3", 2, 100): 0.5993642442213635,
}


def test_the_numbers_are_those_of_every_earlier_version():
    found = [Noise(seed, task, completion).uniform(position) for seed, task, completion, position in GOLDEN]
    assert found == list(GOLDEN.values())


@given(st.integers(-5, 2**70), st.text(), st.integers(0, 10**6), st.integers(0, 2**40))
def test_numbers_lie_from_zero_to_below_one(seed, task, completion, position):
    assert 0 <= Noise(seed, task, completion).uniform(position) < 1


def test_the_same_key_and_position_give_the_same_number_in_any_order():
    forward = [Noise(1, "t", 0).uniform(i) for i in range(10)]
    noise = Noise(1, "t", 0)
    assert [noise.uniform(i) for i in reversed(range(10))] == forward[::-1]


def test_each_part_of_the_key_matters():
    keys = [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1), (0, "0\x00a", 1), (10, "a", 0), (1, "0\x00a", 0)]
    assert len({Noise(*key).uniform(0) for key in keys}) == len(keys)


def test_lone_surrogates_in_a_task_id_are_no_error():
    assert 0 <= Noise(0, "\ud800", 0).uniform(0) < 1


def test_the_numbers_are_uniform_and_independent_of_their_neighbours():
    numbers = np.array([Noise(0, f"t/{i}", 0).uniform(j) for i in range(200) for j in range(200)])
    counts, _ = np.histogram(numbers, bins=100, range=(0, 1))
    chi_square = ((counts - 400.0) ** 2 / 400.0).sum()
    assert 55 < chi_square < 155  # 99 degrees of freedom: 1 in 1,000 on either side is 61 and 149
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.02
