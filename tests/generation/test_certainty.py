"""A choice that is marked certain stays the same however the logits move within the noise. All else rests on this."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import llama

from evalharness.generation import measured_noise, reference
from evalharness.generation.decoding import Distributions
from evalharness.generation.inverse_cdf import Cut, MovedMass, mass_shift, moved_mass
from evalharness.generation.kept_caches import KeptCaches
from evalharness.generation.reference import Reference
from evalharness.models.requests import GREEDY, Decoding, Request

NOISES = st.sampled_from([1e-6, 1e-4, 1e-2, 0.3])
LOGITS = st.lists(
    st.one_of(
        st.floats(-30, 30),
        st.sampled_from([0.0, 1.0, 1.0 + 1e-4, 5.0, -math.inf, -800.0]),
    ),
    min_size=2,
    max_size=12,
).filter(lambda values: any(math.isfinite(value) for value in values))
DECODINGS = st.one_of(
    st.just(GREEDY),
    st.builds(
        Decoding,
        st.just("sampled"),
        st.sampled_from([0.2, 0.8, 1.0, 2.5]),
        st.one_of(st.just(1.0), st.sampled_from([0.0, 0.1, 0.5, 0.95]), st.floats(0.01, 0.999)),
        st.integers(0, 13),
    ),
)
UNIFORMS = st.one_of(st.floats(0, 1, exclude_max=True), st.sampled_from([0.0, 2.0**-53, 0.5, 1 - 2.0**-53]))


def chosen(logits, decoding, uniform, noise):
    tensor = torch.tensor([logits], dtype=torch.float64)
    return Distributions(tensor, None, noise, ["t"]).choose(decoding, 0, uniform)


def assert_stays(logits, moves, decoding, uniform, noise):
    first = chosen(logits, decoding, uniform, noise)
    if not first.certain:
        return
    moved = [value + noise * move for value, move in zip(logits, moves, strict=True)]
    second = chosen(moved, decoding, uniform, 0.0)
    assert second.token_id == first.token_id


@settings(max_examples=600, deadline=None)
@given(LOGITS, st.lists(st.floats(-1, 1), min_size=12, max_size=12), DECODINGS, UNIFORMS, NOISES)
def test_a_certain_choice_stays_for_any_noise(logits, moves, decoding, uniform, noise):
    assert_stays(logits, moves[: len(logits)], decoding, uniform, noise)


@settings(max_examples=400, deadline=None)
@given(LOGITS, st.integers(0, 11), DECODINGS, UNIFORMS, NOISES)
def test_a_certain_choice_stays_where_all_noise_pulls_at_one_boundary(logits, place, decoding, uniform, noise):
    # All tokens up to one up and all others down is what moves a cumulative probability the furthest.
    for sign in (1, -1):
        moves = [sign if i <= place else -sign for i in range(len(logits))]
        assert_stays(logits, moves, decoding, uniform, noise)
        order = np.argsort([-value for value in logits], kind="stable")
        by_rank = [0.0] * len(logits)
        for rank, i in enumerate(order):
            by_rank[i] = sign if rank <= place else -sign
        assert_stays(logits, by_rank, decoding, uniform, noise)


@settings(max_examples=300, deadline=None)
@given(LOGITS, DECODINGS, st.integers(0, 11), st.floats(-3, 3), NOISES)
def test_a_certain_choice_stays_for_numbers_right_beside_a_boundary(logits, decoding, place, distance, noise):
    p = torch.softmax(torch.tensor(logits, dtype=torch.float64) / decoding.temperature, dim=0).cumsum(0)
    boundary = float(p[min(place, len(logits) - 1)])
    shift = boundary * (1 - boundary) * math.expm1(2 * noise / decoding.temperature)
    uniform = min(max(boundary + distance * shift, 0.0), 1 - 2.0**-53)
    for sign in (1, -1):
        moves = [sign if i <= place else -sign for i in range(len(logits))]
        assert_stays(logits, moves, decoding, uniform, noise)


@given(st.floats(0, 1), NOISES)
def test_the_bound_on_a_mass_holds_and_is_tight(mass, noise):
    up = mass * math.exp(2 * noise) / (1 + mass * math.expm1(2 * noise))
    down = mass / (mass + (1 - mass) * math.exp(2 * noise))
    bound = float(mass_shift(torch.tensor(mass, dtype=torch.float64), noise))
    furthest = max(up - mass, mass - down)
    assert furthest <= bound <= math.exp(2 * noise) * furthest + 1e-10


def test_most_choices_are_certain_at_the_noise_of_float32():
    logits = torch.randn(4000, 1000, generator=torch.Generator().manual_seed(0)) * 3
    distributions = Distributions(logits, None, 1e-4, ["t"] * 4000)
    uniforms = np.random.default_rng(0).random(4000).tolist()
    for decoding in (
        GREEDY,
        Decoding("sampled", 0.8),
        Decoding("sampled", 0.8, 0.95),
        Decoding("sampled", 1.0, 1.0, 50),
    ):
        drawn = distributions.draw(decoding, range(4000), uniforms)
        assert sum(not sure for _, sure in drawn) < 160


def test_a_vocabulary_that_is_kept_whole_is_not_uncertain_for_that():
    logits = torch.tensor([[1.0, 0.9, 0.8, -1e9]])
    distributions = Distributions(logits, None, 1e-4, ["t"])
    for decoding in (
        Decoding("sampled", 1.0, 0.999),
        Decoding("sampled", 1.0, 0.999, 3),
        Decoding("sampled", 1.0, 1.0, 3),
    ):
        assert distributions.draw(decoding, [0], [0.5])[0][1]


def test_noise_beyond_all_measure_makes_everything_uncertain_and_no_error():
    distributions = Distributions(torch.tensor([[2.0, 1.0, 0.0]]), None, 1e3, ["t"])
    assert not distributions.choose(Decoding("sampled", 0.1, 0.9), 0, 0.3).certain
    assert not distributions.choose(GREEDY, 0, 0.0).certain


class Text:
    """A text that grows, as far as the reference asks for one."""

    request = Request("task", 0, GREEDY, (), ())

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids
        self.prompt_length = len(ids)

    def uniform(self, _ahead: int) -> float:
        return 0.5


@pytest.mark.parametrize("kept_bytes", [0, 20_000, 2**29])
def test_what_is_decided_again_with_a_cache_is_what_is_decided_without(monkeypatch, kept_bytes):
    monkeypatch.setattr(reference, "KEPT_BYTES", kept_bytes)
    model = llama()
    texts = [Text([1 + i // 2, 2, 3]) for i in range(6)]
    for text in texts[::2]:  # two texts of each prompt, which go different ways
        text.ids = [*text.ids, 5]
    cached, plain = Reference(model, None, cached=True), Reference(model, None)
    for round_number in range(6):
        for text in texts[round_number % 2 :: 1 + round_number % 3]:  # more than are kept, and not always the same
            found = cached.choose(text)
            assert found == plain.choose(text)
            text.ids = [*text.ids, found.token_id, 7]
    assert len({tuple(text.ids) for text in texts}) == len(texts)


MOVES = torch.Generator().manual_seed(1)


def rounded(logits):
    """Logits as rounding leaves them: each moved a little by itself."""
    return logits + 1e-5 * torch.randn(logits.shape, generator=MOVES, dtype=torch.float64)


def test_rounding_changes_no_choice_that_is_certain_by_the_measured_bound_and_fewer_are_uncertain():
    logits = torch.randn(4000, 1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3
    noise, decoding = 8 * 5e-5, Decoding("sampled", 0.8)
    seen = rounded(logits)
    moved = MovedMass(0.8, 8 * moved_mass(seen[:300], logits[:300], 0.8))
    uniforms = np.random.default_rng(0).random(4000).tolist()
    exact = Distributions(logits, None, 0.0, ["t"] * 4000).draw(decoding, range(4000), uniforms)
    by_worst_case = Distributions(seen, None, noise, ["t"] * 4000).draw(decoding, range(4000), uniforms)
    by_measure = Distributions(seen, None, noise, ["t"] * 4000, moved).draw(decoding, range(4000), uniforms)
    certain = [(own, true) for (own, sure), (true, _) in zip(by_measure, exact, strict=True) if sure]
    assert all(own == true for own, true in certain)
    assert len(certain) > sum(sure for _, sure in by_worst_case)


@pytest.mark.parametrize(
    ("decoding", "counts"),
    [
        (Decoding("sampled", 0.8), True),
        (Decoding("sampled", 0.8, 1.0, 1000), True),
        (Decoding("sampled", 0.7), False),
        (Decoding("sampled", 0.8, 0.95), False),
        (Decoding("sampled", 0.8, 1.0, 50), False),
    ],
)
def test_the_measured_bound_holds_at_its_own_temperature_with_nothing_cut(decoding, counts):
    cut = Cut(decoding.temperature, decoding.top_p, decoding.top_k)
    assert MovedMass(0.8, 1e-6).bounds(cut, 1000) is counts


def test_the_mass_that_was_measured_covers_what_another_batch_shape_does():
    model = llama()
    rows = [[(7 * i + j) % 40 for j in range(n)] for i, n in enumerate((5, 9, 30, 60))]
    noise = measured_noise(model, rows, padded=True, temperature=0.5)
    for row in rows:
        alone, beside = (model.logits(torch.tensor(ids))[0] for ids in ([row], [row] * 7))
        assert 0 < moved_mass(alone, beside.double(), 0.5) + 1e-12 <= noise.mass.mass < 1e-3


def cache_of(ids):
    return ((torch.zeros(1, 1, ids, 2), torch.zeros(1, 1, ids, 2)),)


def test_caches_that_were_not_asked_for_the_longest_time_go_first_and_a_copy_stays():
    kept = KeptCaches(most_bytes=16 * 25)
    kept.keep("first", 10, cache_of(10))
    kept.keep("second", 10, cache_of(10))
    held, copied = kept.copied("first")
    copied[0][0].fill_(1.0)
    kept.keep("third", 5, cache_of(5))
    assert held == 10
    assert kept.taken("second") is not None
    kept.keep("fourth", 15, cache_of(15))
    assert kept.taken("first") is None
    assert [kept.taken(name)[0] for name in ("third", "fourth")] == [5, 15]
    kept.keep("too long", 26, cache_of(26))
    assert kept.taken("too long") is None
