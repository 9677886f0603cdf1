"""The user's own ``generate`` is compared with what the model gives when each token is read after all before it."""

from dataclasses import replace

import pytest
import torch
from plants_model import writing
from small_sound import of, sound
from small_training import CONTEXT, FAMILIES
from torch import nn

from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.cache_mismatch import cache_mismatch, cache_parameters
from evalharness.diagnosis.probes.own_generation import own_generation
from evalharness.errors import EvaluationError
from evalharness.records import Finding, NotTestable, RuledOut


def asked(write):
    return own_generation(Measured(replace(of(sound("plain")), own_generate=write)))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_generate_that_reads_everything_is_cleared(family):
    cleared = own_generation(Measured(writing(family, last=None)))
    assert isinstance(cleared, RuledOut)
    assert cleared.evidence["prompts_that_differ"] == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_generate_that_reads_the_last_tokens_alone_is_a_cause(family):
    found = own_generation(Measured(writing(family)))
    assert isinstance(found, Finding)
    assert found.severity == "cause"
    assert found.evidence["first_difference_at"] == 1


def test_a_difference_is_told_from_its_token_on():
    right = writing("plain", last=None).own_generate

    def fourth(prompt, new_tokens):
        ids = right(prompt, new_tokens)
        return (*ids[:3], (ids[3] + 1) % 8, *ids[4:])

    assert asked(fourth).evidence["first_difference_at"] == 4


def test_one_that_draws_at_random_can_not_be_compared():
    torch.manual_seed(0)
    outcome = asked(lambda _, new_tokens: tuple(torch.randint(0, 8, (new_tokens,)).tolist()))
    assert isinstance(outcome, NotTestable)
    assert outcome.kind == "undecided"


@pytest.mark.parametrize("begins_right", [True, False])
def test_one_that_goes_on_from_the_call_before_is_a_cause(begins_right):
    right, calls = writing("plain", last=None).own_generate, []

    def goes_on(prompt, new_tokens):
        calls.append(prompt)
        ids = right(prompt, new_tokens)
        return ids if (len(calls) % 2 == 1) is begins_right else ((ids[0] + 1) % 8, *ids[1:])

    found = asked(goes_on)
    assert isinstance(found, Finding)
    assert found.severity == "cause"
    assert found.evidence["keeps_state"]
    assert found.evidence["first_difference_at"] == 1


def test_what_stands_after_the_end_token_tells_nothing():
    right, end = writing("plain", last=None).own_generate, min(of(sound("plain")).end_ids)
    calls = []

    def goes_on_after_the_end(prompt, new_tokens):
        calls.append(prompt)
        ids = right(prompt, new_tokens)
        place = ids.index(end) + 1 if end in ids else len(ids)
        return (*ids[:place], *(len(calls) % 8 for _ in ids[place:]))

    assert isinstance(asked(goes_on_after_the_end), RuledOut)


def test_one_that_draws_from_a_generator_of_its_own_can_not_be_compared():
    generator = torch.Generator().manual_seed(0)
    outcome = asked(lambda _, new_tokens: tuple(torch.randint(0, 8, (new_tokens,), generator=generator).tolist()))
    assert isinstance(outcome, NotTestable)
    assert outcome.kind == "undecided"


def test_one_that_fails_or_writes_nothing_is_not_cleared():
    def fails(prompt, new_tokens):
        raise EvaluationError("it fails")

    assert [asked(write).kind for write in (fails, lambda *_: ())] == ["model_failed", "model_failed"]


class Cached(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = sound("plain")

    def forward(self, ids, kv_cache=None, use_cache=False):
        return self.inner(ids)


def test_a_cache_in_a_form_of_its_own_is_seen_in_what_the_forward_takes(golden_text):
    assert cache_parameters(Cached()) == ("kv_cache", "use_cache")
    assert cache_parameters(sound("plain")) == ()
    outcome = cache_mismatch(Measured(of(Cached())))
    assert outcome.kind == "not_known"
    golden_text(outcome.reason)
    assert len(of(Cached()).validation.encoded[0].ids) <= CONTEXT
