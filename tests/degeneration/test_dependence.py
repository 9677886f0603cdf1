import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.degeneration.dependence import dependence

WORDS = [f"w{i}" for i in range(400)]


def varied(own_share: float, problems: int = 40, size: int = 4, length: int = 60) -> dict[str, list[str]]:
    """Completions that take this share of their words from a dozen of their problem's own, the rest from all."""
    draw = random.Random(1)
    found = {}
    for p in range(problems):
        own = draw.sample(WORDS, 12)
        found[f"p{p}"] = [
            " ".join(draw.choice(own) if draw.random() < own_share else draw.choice(WORDS) for _ in range(length))
            for _ in range(size)
        ]
    return found


def nats(texts) -> float:
    return float(np.mean(list(dependence(texts).nats.values())))


def test_completions_that_ignore_their_prompt_share_nothing_with_it():
    assert nats(varied(0.0)) < 0.1


def test_the_same_completion_to_everything_shares_nothing_however_sound_it_is():
    assert nats({f"p{i}": ["return sum(items)"] * 4 for i in range(30)}) == pytest.approx(0, abs=1e-9)


def test_completions_that_tell_their_problem_reach_the_ceiling():
    found = dependence(varied(1.0))
    assert found.ceiling_nats == pytest.approx(math.log(40))
    assert nats(varied(1.0)) > 0.95 * found.ceiling_nats
    assert np.mean(list(found.own_fits_best.values())) > 0.99


def test_more_dependence_gives_more_nats():
    measured = [nats(varied(share)) for share in (0.0, 0.1, 0.2, 0.4)]
    assert measured == sorted(measured)
    assert measured[-1] > 10 * max(measured[0], 0.1)


def test_it_needs_two_problems_with_two_completions():
    assert dependence({}) is None
    assert dependence({"a": ["x", "y"]}) is None
    assert dependence({"a": ["x"], "b": ["y"]}) is None


def test_problems_with_fewer_completions_are_left_out():
    found = dependence({"a": ["x y", "x z"], "b": ["u v", "u w"], "c": ["only one"]})
    assert set(found.nats) == {"a", "b"}


def test_blank_completions_depend_on_nothing():
    found = dependence({f"p{i}": ["\n" * 60, ""] for i in range(5)})
    assert sum(found.nats.values(), ()) == pytest.approx([0.0] * 10, abs=1e-9)
    assert not any(sum(found.own_fits_best.values(), ()))


@given(st.dictionaries(st.text("ab", max_size=2), st.lists(st.text("xy z", max_size=8), min_size=2, max_size=3)))
def test_no_completion_gives_more_than_the_ceiling(texts):
    found = dependence(texts)
    if found is not None:
        assert all(term <= found.ceiling_nats + 1e-9 for terms in found.nats.values() for term in terms)
        assert np.mean([term for terms in found.nats.values() for term in terms]) >= -1e-9
