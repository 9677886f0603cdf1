import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.errors import EvaluationError
from evalharness.generation.decoding import Distributions
from evalharness.generation.inverse_cdf import Cut, cumulative
from evalharness.models.requests import GREEDY, Decoding

PLAIN = Decoding("sampled")


def of(*rows, allowed=None, noise=0.0):
    mask = None if allowed is None else torch.tensor(allowed)
    return Distributions(torch.tensor(rows), mask, noise, [f"task/{i}" for i in range(len(rows))])


def shares(logits, decoding, draws=20_000, allowed=None):
    """The share of each token over an even grid of numbers: what the probabilities are, to 1 in ``draws``."""
    distributions = of(logits, allowed=allowed)
    uniforms = ((np.arange(draws) + 0.5) / draws).tolist()
    tokens = [token for token, _ in distributions.draw(decoding, [0] * draws, uniforms)]
    return np.bincount(tokens, minlength=len(logits)) / draws


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-6, 6), min_size=2, max_size=8), st.sampled_from([0.5, 0.8, 1.0, 2.0]))
def test_draws_follow_the_distribution_exactly(logits, temperature):
    expected = torch.softmax(torch.tensor(logits) / temperature, dim=0).numpy()
    assert np.abs(shares(logits, Decoding("sampled", temperature), draws=4000) - expected).max() < 1 / 2000


def test_a_token_is_drawn_where_its_number_falls_between_its_cumulative_probabilities():
    distributions = of([0.5, 0.25, 0.25])
    edges = torch.softmax(torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64), dim=0).cumsum(0)
    numbers = [0.0, float(edges[0]) - 1e-9, float(edges[0]) + 1e-9, float(edges[1]) + 1e-9, 1 - 2.0**-53]
    assert [t for t, _ in distributions.draw(PLAIN, [0] * 5, numbers)] == [0, 0, 1, 2, 2]


def test_greedy_takes_the_largest_logit_and_of_equals_the_lowest_id():
    assert [t for t, _ in of([1.0, 3.0, 3.0], [2.0, 1.0, 2.0]).draw(GREEDY, [0, 1], [0.9, 0.9])] == [1, 0]


def test_top_k_leaves_the_k_most_probable():
    expected = torch.softmax(torch.tensor([2.0, 1.0]), dim=0).numpy()
    assert np.abs(shares([1.0, 0.0, 2.0], Decoding("sampled", 1.0, 1.0, 2))[[2, 0]] - expected).max() < 1e-3


def test_top_k_beyond_what_is_allowed_cuts_nothing():
    found = shares([1.0, 1.0, 1.0, 1.0], Decoding("sampled", 1.0, 1.0, 3), allowed=[True, True, False, False])
    assert found.tolist() == [0.5, 0.5, 0, 0]


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.0, {0}), (0.39, {0}), (0.41, {0, 1}), (0.69, {0, 1}), (0.71, {0, 1, 2}), (0.9, {0, 1, 2})]
)
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p, kept):
    found = shares(np.log([0.4, 0.3, 0.2, 0.1]).tolist(), Decoding("sampled", 1.0, top_p))
    assert set(np.flatnonzero(found)) == kept


def test_top_p_keeps_the_proportions_of_what_stays():
    found = shares(np.log([0.4, 0.3, 0.2, 0.1]).tolist(), Decoding("sampled", 1.0, 0.6))
    assert found[:2] == pytest.approx([4 / 7, 3 / 7], abs=1e-3)


@pytest.mark.parametrize("decoding", [GREEDY, PLAIN, Decoding("sampled", 3.0, 0.9), Decoding("sampled", 1.0, 1.0, 3)])
def test_held_out_ids_get_no_probability(decoding):
    found = shares([9.0, 1.0, 0.0, 12.0], decoding, allowed=[False, True, True, False])
    assert found[0] == found[3] == 0


def test_held_out_ids_add_nothing_to_the_entropy():
    (nats,) = of([9.0, 0.0, 0.0, 12.0], allowed=[False, True, True, False]).entropies([0])
    assert nats == round(math.log(2), 2)


def test_the_entropy_is_that_of_the_uncut_distribution_at_temperature_one():
    choice = of([0.0] * 8).choose(Decoding("sampled", 0.1, 0.2, 1), 0, 0.5)
    assert choice.entropy_nats == round(math.log(8), 2)


def test_the_entropy_of_a_sure_thing_is_a_positive_zero():
    (nats,) = of([1000.0, 0.0, -math.inf]).entropies([0])
    assert math.copysign(1.0, nats) == 1.0
    assert nats == 0.0


@pytest.mark.parametrize("broken", [[math.nan, 0.0], [math.inf, 0.0], [-math.inf, -math.inf]])
@pytest.mark.parametrize("decoding", [GREEDY, Decoding("sampled", 0.8, 0.9, 1)])
def test_nan_and_infinity_are_an_error_that_names_the_task(broken, decoding, golden_text):
    with pytest.raises(EvaluationError) as error:
        of([0.0, 1.0], broken).choose(decoding, 1, 0.5)
    golden_text(error)


def test_nan_elsewhere_is_no_error():
    assert of([0.0, 1.0], [math.nan, 0.0]).choose(PLAIN, 0, 0.99).token_id == 1


def test_nan_in_what_is_held_out_is_no_error():
    assert of([0.0, math.nan], allowed=[True, False]).choose(PLAIN, 0, 0.5).token_id == 0


def test_several_rows_may_share_one_position():
    assert [t for t, _ in of([0.0, 0.0], [9.0, 0.0]).draw(PLAIN, [1, 0, 0, 1], [0.9, 0.1, 0.9, 0.1])] == [0, 0, 1, 0]


def test_a_cumulative_distribution_ends_in_exactly_one():
    logits = torch.randn(50, 5000, generator=torch.Generator().manual_seed(1)).double()
    distribution, _ = cumulative(logits, Cut(0.8, 0.95, 100), 0.0)
    assert bool((distribution[:, -1] == 1).all())
    assert bool((distribution.diff(dim=1) >= 0).all())
