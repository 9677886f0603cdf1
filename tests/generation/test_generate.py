"""Completions do not depend on how they were computed: batch size, order, drafts, cache, threads, resume."""

import dataclasses
from random import Random

import pytest
import torch
from small_models import Letters, decoder, gpt2, llama

from evalharness.errors import EvaluationError
from evalharness.generation import GREEDY, Decoding, Noise, Prompting, Settings, generate, logit_noise
from evalharness.generation.decoding import ENTROPY_DECIMALS, Distributions
from evalharness.generation.reference import Reference
from evalharness.models.requests import Request

DECODINGS = (GREEDY, Decoding("sampled", 0.8), Decoding("sampled", 1.2, 0.9), Decoding("sampled", 1.0, 1.0, 5))
LETTERS = Letters()


def requests(count=9, completions=2, seed=0):
    rng = Random(seed)
    prompts = [tuple(rng.randrange(40) for _ in range(rng.choice([1, 3, 3, 8, 20]))) for _ in range(count)]
    return [
        Request(f"t/{i}", 10 * kind + completion, decoding, prompt, ())
        for i, prompt in enumerate(prompts)
        for kind, decoding in enumerate(DECODINGS)
        for completion in range(1 if decoding is GREEDY else completions)
    ]


class Entropies(tuple):
    """Equal to others that differ by at most one in the last decimal, which rounding in a batch may move."""

    __slots__ = ()
    __hash__ = tuple.__hash__

    def __eq__(self, other):
        return len(self) == len(other) and all(
            abs(a - b) < 1.5 * 10**-ENTROPY_DECIMALS for a, b in zip(self, other, strict=True)
        )


def run(model, wanted, settings, **more):
    found = {}
    for completion in generate(model, LETTERS, wanted, Prompting(), settings, **more):
        key = (completion.task_id, completion.decoding, completion.completion_id)
        assert key not in found
        entropies = Entropies(completion.token_entropy_nats)
        found[key] = dataclasses.replace(completion, token_entropy_nats=entropies)
    return found


def settings_for(model, wanted, **changes):
    rows = [[*r.prompt_ids, *range(10)] for r in wanted[::7]][:8]
    noise = logit_noise(model, rows, padded=not changes.get("exact_lengths", False))
    base = Settings(max_new_tokens=40, seed=3, exact_lengths=False, stop_loops=False, noise_nats=noise)
    return dataclasses.replace(base, **changes)


@pytest.fixture(scope="module")
def causal():
    return decoder()


@pytest.fixture(scope="module")
def causal_completions(causal):
    wanted = requests()
    settings = settings_for(causal, wanted, batch_size=1, drafts=False)
    return run(causal, wanted, settings)


@pytest.mark.parametrize("batch_size", [1, 7, 32])
@pytest.mark.parametrize("drafts", [True, False])
def test_a_causal_model_writes_the_same_for_every_batch_size_with_drafts_and_without(
    causal, causal_completions, batch_size, drafts
):
    wanted = requests()
    assert run(causal, wanted, settings_for(causal, wanted, batch_size=batch_size, drafts=drafts)) == causal_completions


def test_the_order_of_the_requests_does_not_matter(causal, causal_completions):
    wanted = requests()
    Random(1).shuffle(wanted)
    assert run(causal, wanted, settings_for(causal, wanted, batch_size=7)) == causal_completions


def test_what_is_left_after_a_resume_is_written_as_before(causal, causal_completions):
    wanted = requests()[5::3]
    found = run(causal, wanted, settings_for(causal, requests(), batch_size=7))
    assert found
    assert all(causal_completions[key] == value for key, value in found.items())


def test_the_number_of_threads_does_not_matter(causal, causal_completions):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2 if before == 1 else 1)
        wanted = requests()
        assert run(causal, wanted, settings_for(causal, wanted, batch_size=7)) == causal_completions
    finally:
        torch.set_num_threads(before)


def test_running_at_exact_lengths_gives_a_causal_model_the_same(causal, causal_completions):
    wanted = requests()
    assert run(causal, wanted, settings_for(causal, wanted, exact_lengths=True, batch_size=7)) == causal_completions


def test_another_seed_changes_what_is_sampled_and_not_what_is_greedy(causal, causal_completions):
    wanted = requests()
    found = run(causal, wanted, settings_for(causal, wanted, seed=4))
    greedy = {key for key in found if key[1] == "greedy"}
    assert all(found[key] == causal_completions[key] for key in greedy)
    assert any(found[key] != causal_completions[key] for key in found.keys() - greedy)


@pytest.mark.parametrize("make", [llama, gpt2])
def test_a_cache_changes_nothing(make):
    model = make()
    wanted = requests(count=5)  # 35 completions: more than the largest batch
    expected = run(model, wanted, settings_for(model, wanted, cache=False, drafts=False, batch_size=1))
    for batch_size in (1, 7, 32):
        assert run(model, wanted, settings_for(model, wanted, batch_size=batch_size)) == expected
    assert run(model, wanted, settings_for(model, wanted, cache=False, batch_size=7)) == expected


@pytest.mark.parametrize("make", [decoder, llama])
@pytest.mark.parametrize("cache", [True, False])
def test_a_pass_has_no_more_logits_than_it_may_and_writes_the_same(make, cache):
    model, made = make(), []
    wanted = requests(count=3, completions=1)
    whole = run(model, wanted, settings_for(model, wanted, cache=cache, batch_size=16))
    most = 12 * model.vocabulary_rows
    limited = settings_for(model, wanted, cache=cache, batch_size=16, most_logits=most)
    head = model.module.lm_head if make is llama else model.module.head
    hook = head.register_forward_hook(lambda _module, _given, logits: made.append(logits.shape[:2]))
    assert run(model, wanted, limited) == whole
    hook.remove()
    assert max(rows for rows, _ in made) > 1, "several rows go into one pass where they fit"
    assert all(rows == 1 or rows * positions <= 12 for rows, positions in made)


def naive(model, wanted, settings, allowed=None):
    """One row, one token, one forward pass over exactly that row."""
    for request in wanted:
        ids, entropies = list(request.prompt_ids), []
        noise = Noise(settings.seed, request.task_id, request.completion_id)
        reason = "max_new_tokens"
        for position in range(settings.max_new_tokens):
            if len(ids) >= model.context_length:
                reason = "context_full"
                break
            logits = Reference(model, None).logits(torch.tensor([ids]))[:, -1]
            choice = Distributions(logits, allowed, 0.0, ["t"]).choose(request.decoding, 0, noise.uniform(position))
            ids.append(choice.token_id)
            entropies.append(choice.entropy_nats)
        yield request, tuple(ids[len(request.prompt_ids) :]), tuple(entropies), reason


@pytest.mark.parametrize("causal_model", [True, False])
def test_each_completion_is_that_of_a_naive_loop(causal_model):
    model = decoder(causal=causal_model, seed=5)
    wanted = requests(count=6, completions=1)
    settings = settings_for(model, wanted, exact_lengths=not causal_model, max_new_tokens=30, batch_size=7)
    found = run(model, wanted, settings)
    for request, ids, entropies, reason in naive(model, wanted, settings):
        completion = found[request.task_id, request.decoding.name, request.completion_id]
        assert (completion.token_ids, completion.token_entropy_nats) == (ids, Entropies(entropies))
        assert completion.stop_reason == reason
        assert completion.text == LETTERS.decode(ids)


@pytest.fixture(scope="module")
def leaky_completions():
    model, wanted = decoder(causal=False), requests()
    return run(model, wanted, settings_for(model, wanted, exact_lengths=True, batch_size=3))


@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_a_model_that_leaks_writes_the_same_for_every_batch_size(leaky_completions, batch_size):
    model, wanted = decoder(causal=False), requests()
    settings = settings_for(model, wanted, exact_lengths=True, batch_size=batch_size)
    assert run(model, wanted, settings) == leaky_completions


def test_a_model_that_leaks_would_write_something_else_with_padding():
    # Otherwise the test before this one proves nothing.
    model = decoder(causal=False)
    wanted = requests()
    exact = run(model, wanted, settings_for(model, wanted, exact_lengths=True))
    assert run(model, wanted, settings_for(model, wanted, exact_lengths=True, noise_nats=0.0)).keys() == exact.keys()
    padded = Settings(max_new_tokens=40, seed=3, exact_lengths=False, stop_loops=False)
    assert run(model, wanted, padded) != exact


def test_a_model_that_leaks_is_never_given_padding():
    model = decoder(causal=False)
    seen = []
    forward = model.logits
    model.logits = lambda ids: seen.append(ids.shape) or forward(ids)
    wanted = requests(count=5, completions=1)
    prompts = {len(r.prompt_ids) for r in wanted}
    run(model, wanted, Settings(max_new_tokens=4, exact_lengths=True))
    assert {length for _, length in seen} <= {length + n for length in prompts for n in range(4)}


def test_held_out_ids_are_never_written(causal):
    allowed = torch.arange(40) % 2 == 0
    wanted = requests()
    found = run(causal, wanted, settings_for(causal, wanted), allowed=allowed)
    assert all(token % 2 == 0 for c in found.values() for token in c.token_ids)
    assert found == run(causal, wanted, settings_for(causal, wanted, batch_size=1, drafts=False), allowed=allowed)


def test_tokens_with_the_same_weights_are_told_apart_by_their_ids_whatever_the_batch():
    model = decoder(seed=2)
    with torch.no_grad():
        model.module.head.weight[20:] = model.module.head.weight[:20]
    wanted = requests()
    expected = run(model, wanted, settings_for(model, wanted, batch_size=1, drafts=False))
    assert run(model, wanted, settings_for(model, wanted, batch_size=7)) == expected
    greedy = [c for c in expected.values() if c.decoding == "greedy"]
    assert all(token < 20 for c in greedy for token in c.token_ids)


class Fails(torch.nn.Module):
    """NaN once a row is longer than it can bear."""

    def __init__(self, inner, longest):
        super().__init__()
        self.inner, self.longest = inner, longest

    def forward(self, ids):
        logits = self.inner(ids)
        logits[:, self.longest :] = float("nan")
        return logits


@pytest.mark.parametrize("exact_lengths", [True, False])
def test_nan_names_the_task_and_what_was_written_before_stands(exact_lengths, golden_text):
    model = decoder()
    model.module = Fails(model.module, 30)
    good = [Request(f"good/{i}", 0, GREEDY, (i, 2, 3), ()) for i in range(3)]
    bad = [Request("bad/0", 0, GREEDY, tuple(range(29)), ())]
    written = []
    with pytest.raises(EvaluationError) as error:  # noqa: PT012 - what came before counts
        for completion in generate(
            model,
            LETTERS,
            good + bad,
            Prompting(),
            Settings(max_new_tokens=5, batch_size=2, exact_lengths=exact_lengths, noise_nats=1e-5),
        ):
            written.append(completion.task_id)
    golden_text(error)
    assert sorted(written) == [r.task_id for r in good]


def test_nan_behind_a_wrong_guess_is_no_error():
    model = decoder()
    wanted = [Request("t", 0, GREEDY, (1, 2, 3, 4) * 4, ())]
    settings = Settings(max_new_tokens=8, exact_lengths=False, stop_loops=False, noise_nats=1e-5)
    expected = run(model, wanted, settings)
    model.module = Fails(model.module, 16 + 8 - 1)
    assert run(model, wanted, settings) == expected


def test_whoever_takes_the_completions_keeps_gradients(causal):
    settings = Settings(max_new_tokens=3, exact_lengths=False)
    for _ in generate(causal, LETTERS, requests(count=2), Prompting(), settings):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        weight = torch.ones(1, requires_grad=True)
        (weight * 2).backward()


def test_completions_come_as_they_are_finished():
    calls = []
    model = decoder()
    forward = model.logits
    model.logits = lambda ids: calls.append(1) or forward(ids)
    wanted = requests(count=9)
    stream = generate(model, LETTERS, wanted, Prompting(), Settings(max_new_tokens=20, batch_size=4, drafts=False))
    next(stream)
    used = len(calls)
    list(stream)
    assert used < len(calls)


def test_no_more_than_a_batch_is_computed_at_once():
    model = decoder()
    seen = []
    forward = model.logits
    model.logits = lambda ids: seen.append(len(ids)) or forward(ids)
    run(model, requests(count=9), Settings(max_new_tokens=20, batch_size=4, exact_lengths=False))
    assert max(seen) == 4


def test_completions_that_agree_so_far_are_computed_once():
    model = decoder()
    seen = []
    forward = model.logits
    model.logits = lambda ids: seen.append(len(ids)) or forward(ids)
    wanted = [Request("t", i, Decoding("sampled", 0.8), (1, 2, 3), ()) for i in range(10)]
    run(model, wanted, Settings(max_new_tokens=1, exact_lengths=False))
    assert seen == [1]
