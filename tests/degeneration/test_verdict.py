import pytest

from evalharness.degeneration import checkpoint_verdict
from evalharness.records import Interval

GREEDY_ALONE = "small sound models may loop that often when greedy, so sample completions to tell"


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
        (0.0, 0.04, "healthy"),
        (0.0, 0.20, "degenerating"),
        (0.0, 0.21, "collapsed"),
        (None, 0.21, "collapsed"),
        (None, None, "not_judged"),
        (0.0, None, "healthy"),
        (0.14, None, "healthy"),
        (0.16, None, "not_judged"),
        (0.50, None, "not_judged"),
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
            "30.0 % of greedy {} [10.0, 60.0]; too few to tell whether it is more than 20 %",
        ),
        (Interval(0.3, 0.21, 0.4), None, "30.0 % of greedy {} [21.0, 40.0]; " + GREEDY_ALONE),
        (Interval(0.1, 0.05, 0.2), None, "10.0 % of greedy {} [5.0, 20.0]; less than 20 % (nothing was sampled)"),
        (None, None, "there are no completions to judge"),
    ],
)
def test_the_reason_gives_the_share_that_decided_and_the_threshold(greedy, sampled, reason):
    assert checkpoint_verdict(greedy, sampled).reason == reason.format("completions are degenerate")


def test_a_few_completions_neither_condemn_nor_clear():
    assert checkpoint_verdict(None, Interval(0.5, 0.04, 0.96)).verdict == "not_judged"
    assert checkpoint_verdict(Interval(0.0, 0.0, 0.02), Interval(0.0, 0.0, 0.21)).verdict == "not_judged"
    assert checkpoint_verdict(Interval(0.0, 0.0, 0.21), Interval(0.0, 0.0, 0.20)).verdict == "healthy"


def test_loops_after_a_finished_answer_are_named_and_do_not_decide():
    after = {"greedy": Interval(0.0, 0.0, 0.02), "sampled": Interval(0.6, 0.5, 0.7)}
    found = checkpoint_verdict(None, Interval(0.01, 0.0, 0.03), after)
    assert found.verdict == "healthy"
    assert found.reason.endswith("; not counted: 60.0 % of sampled completions loop after a finished answer")
