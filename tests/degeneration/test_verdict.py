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
    assert checkpoint_verdict(greedy, sampled).verdict == verdict


@pytest.mark.parametrize(
    ("greedy", "sampled", "reason"),
    [
        (None, Interval(1, 0.981, 1), "at least 98.1 % of the sampled completions are degenerate"),
        (Interval(0.9, 0.8, 0.95), Interval(0.01, 0, 0.02), "at least 80.0 % of the greedy completions"),
        (None, Interval(0.5, 0.04, 0.96), "too few to tell: up to 96.0 %"),
        (None, Interval(0.06, 0.03, 0.1), "at most 10.0 % .* neither shown nor ruled out"),
        (None, Interval(0.01, 0.0, 0.03), "^at most 3.0 % of the sampled completions are degenerate$"),
        (Interval(0.3, 0.1, 0.6), None, "greedy completions alone"),
        (None, None, "no completion was begun"),
    ],
)
def test_the_reason_tells_the_figures_that_decided(greedy, sampled, reason):
    import re

    assert re.search(reason, checkpoint_verdict(greedy, sampled).reason)


def test_a_few_bad_completions_do_not_condemn():
    assert checkpoint_verdict(None, Interval(0.5, 0.04, 0.96)).verdict == "healthy"
