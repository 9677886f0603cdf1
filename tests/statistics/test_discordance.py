import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.statistics import discordance
from evalharness.statistics.discordance import paired_loss_difference

STEPS = [100, 200, 300, 400]


def rows(means: list[float], *, noise: float = 0.01, n: int = 50, seed: int = 0) -> np.ndarray:
    """Losses of rows that differ much from each other, and little in how they change."""
    rng = np.random.default_rng(seed)
    return rng.random(n)[None] * 3 + np.array(means)[:, None] + noise * rng.standard_normal((len(means), n))


def solved(*numbers: int, problems: int = 60) -> np.ndarray:
    return np.array([[1.0] * n + [0.0] * (problems - n) for n in numbers])


@pytest.mark.parametrize("number", [0, 7])
def test_behaviour_that_never_changes_has_no_share_whose_interval_would_be_without_width(number: int):
    found = discordance(STEPS, rows([3, 2, 1, 0.5]), solved(number, number, number, number), seed=0)
    assert (found.share, found.why_none, found.pairs, found.of_pairs) == (None, "same_behaviour", 6, 6)


def test_behaviour_whose_mean_never_changes_while_problems_do_is_wholly_discordant():
    one_for_another = np.array([[1.0, 0.0] * 30, [0.0, 1.0] * 30, [1.0, 0.0] * 30, [0.0, 1.0] * 30])
    found = discordance(STEPS, rows([3, 2, 1, 0.5]), one_for_another, seed=0)
    assert found.share.estimate == 1.0
    assert found.share.low < 1.0


def test_behaviour_that_improves_with_the_loss_is_not_discordant():
    found = discordance(STEPS, rows([3, 2, 1, 0.5]), solved(5, 15, 25, 40), seed=0)
    assert found.share.estimate == found.share.high == 0.0
    assert [(c.loss_improved, c.behaviour_improved) for c in found.changes] == [(True, True)] * 3


def test_the_share_is_over_pairs_where_the_loss_improved():
    found = discordance(STEPS, rows([3, 1, 2, 0.5]), solved(10, 30, 20, 5), seed=0)
    # Improved: 1-2, 1-3, 1-4, 2-4, 3-4. Behaviour did not in 1-4, 2-4, 3-4.
    assert (found.pairs, found.of_pairs) == (5, 6)
    assert found.share.estimate == pytest.approx(3 / 5)
    assert found.changes[1].loss_improved is False
    assert [c.behaviour_improved for c in found.changes] == [True, False, False]


def test_a_fall_within_its_own_error_is_none():
    found = discordance([1, 2], rows([1.0, 0.99], noise=0.3), solved(1, 2), seed=0)
    assert (found.share, found.why_none) == (None, "no_pair")
    assert (found.pairs, found.of_pairs) == (0, 1)
    # Paired over rows, a small fall that all rows share is one, though rows differ by nats.
    assert discordance([1, 2], rows([1.0, 0.99]), solved(1, 2), seed=0).pairs == 1


def test_one_problem_more_is_not_told_from_none():
    found = discordance([1, 2], rows([2, 1]), solved(5, 6), seed=0)
    assert found.changes[0].behaviour_improved is None
    assert found.share.estimate == 0.0
    assert found.share.high == 1.0, "among other problems that one may be missing"


def test_a_loss_that_is_no_number_improved_nothing():
    losses = rows([3, 2, 1, 0.5])
    losses[1] = np.nan
    found = discordance(STEPS, losses, solved(1, 2, 3, 4), seed=0)
    assert found.pairs == 3
    assert not found.changes[0].loss_improved


def test_rows_count_by_their_targets():
    first, second = np.array([1.0, 1.0, 1.0]), np.array([0.0, 2.0, 1.0])
    assert paired_loss_difference(first, second, np.array([1.0, 1.0, 1.0])).estimate == 0
    weighted = paired_loss_difference(first, second, np.array([8.0, 1.0, 1.0]))
    assert weighted.estimate == pytest.approx(-0.7)
    assert paired_loss_difference(first[:1], second[:1], np.array([8.0])).low == -np.inf


def test_equal_weights_give_students_paired_interval():
    rng = np.random.default_rng(1)
    first, second = rng.random(20), rng.random(20)
    found = paired_loss_difference(first, second, np.full(20, 7.0))
    d = second - first
    assert found.high - found.estimate == pytest.approx(2.0930 * d.std(ddof=1) / np.sqrt(20), rel=1e-4)


@given(st.lists(st.integers(0, 20), min_size=2, max_size=6), st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_the_share_is_within_its_interval(numbers, seed):
    found = discordance(range(len(numbers)), rows([3.0 - i for i in range(len(numbers))], seed=seed),
                        solved(*numbers, problems=20), seed=seed)  # fmt: skip
    assert found.pairs == found.of_pairs
    assert (found.share is None) == (len(set(numbers)) == 1)
    if found.share is None:
        return
    assert 0 <= found.share.low <= found.share.estimate <= found.share.high <= 1
    pairs = [(a, b) for i, a in enumerate(numbers) for b in numbers[i + 1 :]]
    assert found.share.estimate == pytest.approx(np.mean([b <= a for a, b in pairs]))


@pytest.mark.parametrize(
    ("steps", "losses", "behaviour"),
    [([1], rows([1, 2]), solved(1, 2)), ([2, 1], rows([1, 2]), solved(1, 2)), ([1, 2], rows([1, 2]), solved(1))],
)
def test_what_does_not_fit_is_refused(steps, losses, behaviour, golden_text):
    with pytest.raises(ValueError) as error:
        discordance(steps, losses, behaviour, seed=0)
    golden_text(error)
