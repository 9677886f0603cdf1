import math

import pytest
import torch
from small_models import decoder, llama

from evalharness.generation import TOLERABLE_NATS, Settings, choose_threads, generation_s, logit_noise
from evalharness.generation.padding import padded_right
from evalharness.generation.reference import Reference
from evalharness.models.requests import GREEDY, Request

ROWS = [[(7 * i + j) % 40 for j in range(n)] for i, n in enumerate((5, 9, 30, 60))]


@pytest.mark.parametrize("make", [decoder, llama])
def test_rounding_in_float32_is_some_millionths_of_a_nat(make):
    assert 1e-7 < logit_noise(make(), ROWS, padded=True) < 1e-3


@pytest.mark.parametrize("padded", [True, False])
def test_the_noise_covers_what_another_batch_shape_does(padded):
    model = decoder()
    rows = ROWS if padded else [row[:5] for row in ROWS]
    noise = logit_noise(model, rows, padded=padded)
    ids, _ = padded_right(rows * 3)
    together = model.logits(ids)
    for i, row in enumerate(rows):
        assert float((together[i, : len(row)] - model.logits(torch.tensor([row]))[0]).abs().max()) <= noise


def test_a_model_that_sees_its_padding_does_not_pass_for_steady():
    assert logit_noise(decoder(causal=False), ROWS, padded=True) > TOLERABLE_NATS
    assert logit_noise(decoder(causal=False), ROWS, padded=False) < TOLERABLE_NATS


def test_a_cache_that_takes_padding_for_text_does_not_pass_for_steady():
    model = llama()
    cached = model.cached_logits
    model.cached_logits = lambda ids, held, positions, cache: cached(ids, torch.ones_like(held), positions, cache)
    assert logit_noise(model, ROWS, padded=True) > TOLERABLE_NATS


def test_a_cache_whose_rows_cannot_be_chosen_is_no_cache():
    model = llama()
    cached = model.cached_logits
    model.cached_logits = lambda *args: (cached(*args)[0], ((), ()))
    assert logit_noise(model, ROWS, padded=True) == math.inf


def test_ids_that_the_model_holds_out_itself_are_no_noise():
    model = decoder()
    forward = model.logits
    held_out = torch.arange(40) > 30

    class HoldsOut(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, ids):
            return self.inner(ids).masked_fill(held_out, -torch.inf)

    before = logit_noise(model, ROWS, padded=True)
    model.module = HoldsOut(model.module)
    assert logit_noise(model, ROWS, padded=True) <= before
    assert forward(torch.tensor([[1]])).shape == (1, 1, 40)


def test_rows_of_one_token_can_be_measured():
    assert math.isfinite(logit_noise(llama(), [[3], [4]], padded=True))


def test_the_reference_is_in_double_precision_and_leaves_the_model_as_it_is():
    model = decoder()
    logits = Reference(model, None).logits(torch.tensor([[1, 2, 3]]))
    assert logits.dtype == torch.float64
    assert model.logits(torch.tensor([[1, 2, 3]])).dtype == torch.float32


def test_a_module_that_refuses_double_precision_decides_in_its_own():
    class Single(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, ids):
            assert self.weight.dtype == torch.float32
            return torch.zeros((*ids.shape, 40)) + self.weight

    model = decoder()
    model.module = Single()
    assert Reference(model, None).logits(torch.tensor([[1, 2]])).dtype == torch.float32


def test_a_number_of_threads_is_chosen_and_set():
    before = torch.get_num_threads()
    try:
        chosen = choose_threads(decoder(), 4, 20)
        assert torch.get_num_threads() == chosen
        assert chosen in {1, before}
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("make", [decoder, llama])
def test_the_estimate_of_the_time_grows_with_what_is_asked_for(make):
    model = make()
    one = [Request("t", 0, GREEDY, (1, 2, 3), ())]
    settings = Settings(max_new_tokens=10, batch_size=1, exact_lengths=False)
    assert 0 < generation_s(model, one, settings) < generation_s(model, one * 500, settings)
    assert generation_s(model, [Request("t", 0, GREEDY, None, ())], settings) == 0.0
