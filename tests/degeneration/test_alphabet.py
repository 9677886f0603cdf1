import random

import pytest

from evalharness.degeneration import analyse
from evalharness.degeneration.alphabet import find_babble


def test_two_words_in_ever_new_numbers_are_a_loop_from_the_first_of_them_on():
    draw = random.Random(3)
    babble = "".join(draw.choice([" self", ","]) for _ in range(200))
    found = analyse("    return int(self.x[0])\n" + babble, stop_reason="max_new_tokens")
    assert (found.kind, found.ran_to_limit) == ("phrase", True)
    assert abs(found.onset - 26) <= 10


def test_the_longest_stretch_of_two_words_is_found_and_the_pair_that_comes_most():
    words = ["x", "=", "f", *["a", ","] * 10, "a", "a", "b", "c"]
    found = find_babble(words, 10)
    assert (found.start, found.end, found.pair) == (3, 25, ("a", ","))


@pytest.mark.parametrize("words", [[], ["a"], ["a", "b", "c"] * 30, ["a", "b"] * 4])
def test_three_words_and_short_stretches_are_none(words):
    assert find_babble(words, 10) is None


def test_a_literal_of_one_value_is_data():
    assert not analyse("def f():\n    return [" + "0, " * 30 + "1]\n    # and so on\n" + "    x = 1\n" * 3).degenerate
