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
        (None, Interval(1, 0.981, 1), "100.0 % of sampled {} [98.1, 100.0]; more than 20 % counts as collapsed"),
        (None, Interval(0.2, 0.1, 0.3), "20.0 % of sampled {} [10.0, 30.0]; more than 5 % counts as degenerating"),
        (
            Interval(0.9, 0.8, 0.95),
            Interval(0.01, 0, 0.02),
            "90.0 % of greedy {} [80.0, 95.0]; more than 50 % counts as degenerating",
        ),
        (
            None,
            Interval(0.5, 0.04, 0.96),
            "50.0 % of sampled {} [4.0, 96.0]; too few to tell whether it is more than 20 %",
        ),
        (
            None,
            Interval(0.06, 0.03, 0.1),
            "6.0 % of sampled {} [3.0, 10.0]; too few to tell whether it is more than 5 %",
        ),
        (None, Interval(0.01, 0.0, 0.03), "1.0 % of sampled {} [0.0, 3.0]; less than 5 %"),
        (
            Interval(0.3, 0.1, 0.6),
            None,
            "greedy completions alone can't show a collapse, because small sound models loop when greedy",
        ),
        (None, None, "there are no completions to judge"),
    ],
)
def test_the_reason_gives_the_share_that_decided_and_the_threshold(greedy, sampled, reason):
    assert checkpoint_verdict(greedy, sampled).reason == reason.format("completions are degenerate")


def test_a_few_bad_completions_do_not_condemn():
    assert checkpoint_verdict(None, Interval(0.5, 0.04, 0.96)).verdict == "healthy"
