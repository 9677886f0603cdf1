import pytest

from evalharness.degeneration import checkpoint_verdict
from evalharness.records import Interval


def share(low: float) -> Interval:
    return Interval(min(1.0, low + 0.02), low, min(1.0, low + 0.05))


@pytest.mark.parametrize(
    ("greedy_low", "sampled_low", "verdict"),
    [
        (0.0, 0.0, "healthy"),
        (0.99, 0.0, "degenerating"),  # greedy alone never says collapsed
        (0.99, None, "degenerating"),
        (0.50, 0.05, "healthy"),  # reached is not passed
        (0.51, 0.0, "degenerating"),
        (0.0, 0.06, "degenerating"),
        (0.0, 0.20, "degenerating"),
        (0.0, 0.21, "collapsed"),
        (None, 0.21, "collapsed"),
        (None, None, "healthy"),
    ],
)
def test_the_lower_bounds_decide(greedy_low, sampled_low, verdict):
    greedy = None if greedy_low is None else share(greedy_low)
    sampled = None if sampled_low is None else share(sampled_low)
    assert checkpoint_verdict(greedy, sampled) == verdict


def test_a_few_bad_completions_do_not_condemn():
    assert checkpoint_verdict(None, Interval(0.5, 0.04, 0.96)) == "healthy"
