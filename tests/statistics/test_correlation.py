import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from evalharness.statistics import NoCorrelation, correlate
from evalharness.statistics.correlation import spearman

RUN = np.random.default_rng(0)


def falling(steps: int) -> list[float]:
    return [3.0 / (1 + step) for step in range(steps)]


def better(steps: int, problems: int) -> np.ndarray:
    """Problems are solved one after the other as training goes on."""
    return (np.arange(problems)[None] < np.linspace(1, problems, steps)[:, None]).astype(float)


def test_behaviour_that_improves_as_the_loss_falls_is_at_minus_one():
    found = correlate(better(10, 40), falling(10), seed=0)
    assert found.levels.rho.estimate == -1
    assert found.levels.rho.high < -0.9
    assert found.levels.points == 10
    assert found.changes.points == 9


def test_behaviour_that_gets_worse_as_the_loss_falls_is_at_one():
    assert correlate(better(10, 40)[::-1], falling(10), seed=0).levels.rho.estimate == 1


def test_two_drifts_agree_on_their_levels_and_not_on_their_changes():
    # The behaviour jumps where the loss hardly moves, and rests where it falls.
    losses = np.cumsum([-1.0, -0.1] * 10)
    behaviour = np.cumsum([0.0, 0.05] * 10)[:, None] * np.ones((1, 30))
    found = correlate(behaviour, list(losses), seed=0)
    assert found.levels.rho.estimate < -0.9
    assert found.changes.rho.estimate > 0.9


def test_few_problems_make_a_wide_interval():
    noisy = RUN.random((12, 400)) < np.linspace(0.3, 0.5, 12)[:, None]
    many, few = (correlate(noisy[:, :n].astype(float), falling(12), seed=0).levels.rho for n in (400, 12))
    assert few.high - few.low > 2 * (many.high - many.low)


def test_what_has_no_correlation_says_why(golden_text):
    flat = np.zeros((8, 5))
    few = correlate(better(5, 9), falling(5), seed=0)
    assert few.levels.rho is not None
    lone = flat.copy()
    lone[3:, 0] = 1
    reasons = (
        correlate(flat, falling(8), seed=0).levels.reason,
        correlate(better(8, 5), [1.0] * 8, seed=0).levels.reason,
        few.changes.reason,
        correlate(lone, falling(8), seed=0).levels.reason,
    )
    assert reasons == (
        NoCorrelation("constant_behaviour"),
        NoCorrelation("constant_loss"),
        NoCorrelation("too_few_points", 4),
        NoCorrelation("too_few_problems_differ"),
    )
    for reason in reasons:
        golden_text(str(reason))


def test_steps_without_a_loss_are_left_out_and_counted():
    losses = [*falling(9), float("nan"), float("inf")]
    found = correlate(better(11, 40), losses, seed=0)
    assert found.left_out == 2
    assert found.levels.points == 9


def test_the_same_seed_gives_the_same_interval():
    noisy = (RUN.random((9, 30)) < 0.5).astype(float)
    assert correlate(noisy, falling(9), seed=1) == correlate(noisy, falling(9), seed=1)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=20))
@settings(deadline=None)
def test_the_ranks_are_those_of_spearman(points):
    x, y = (np.array([float(p[i]) for p in points]) for i in (0, 1))
    if np.ptp(x) and np.ptp(y):
        assert spearman(x[None], y)[0] == pytest.approx(spearmanr(x, y).statistic)
    else:
        assert np.isnan(spearman(x[None], y)[0])


@pytest.mark.parametrize("behaviour", [np.zeros((3, 4)), np.zeros(5), np.zeros((5, 0))])
def test_shapes_that_do_not_fit_are_refused(behaviour, golden_text):
    with pytest.raises(ValueError) as error:
        correlate(behaviour, falling(5), seed=0)
    golden_text(error)
