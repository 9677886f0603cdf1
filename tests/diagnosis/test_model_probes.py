"""The edges of the probes of the model itself: what they can't tell, and what they are not to be led by."""

from dataclasses import replace

import pytest
import torch
from golden_text import MEASURED
from plants_leaks import LEAKS
from plants_model import CachedPlain, Tidy, cached, mixing_neighbours, noisy, positions_from_the_end
from small_sound import of, sound
from small_training import CONTEXT, END, PAD, VOCABULARY, Characters, logits_of, subject
from torch import nn

from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.batch_invariance import batch_invariance
from evalharness.diagnosis.probes.cache_mismatch import cache_mismatch
from evalharness.diagnosis.probes.future_leak import future_leak_of
from evalharness.diagnosis.probes.not_finite import not_finite
from evalharness.diagnosis.probes.stochastic_forward import stochastic_forward
from evalharness.diagnosis.probes.vocabulary import vocabulary
from evalharness.diagnosis.subject import Split
from evalharness.errors import EvaluationError
from evalharness.models.torch.model import UncachedModel
from evalharness.records import Finding, NotTestable, Problem, RuledOut

LEAK = Finding("future_leak", "cause", "a claim", {}, "a remedy")
PROBES = [future_leak_of, stochastic_forward, batch_invariance, cache_mismatch, not_finite]


def answers(outcomes):
    return outcomes if isinstance(outcomes, tuple) else (outcomes,)


def bare(**more):
    return replace(of(sound("plain")), train=None, validation=None, **more)


@pytest.mark.parametrize("probe", PROBES)
def test_without_rows_and_problems_nothing_is_cleared(probe):
    assert all(isinstance(outcome, NotTestable) for outcome in answers(probe(Measured(bare()))))


@pytest.mark.parametrize("probe", [future_leak_of, stochastic_forward, batch_invariance, not_finite])
def test_problems_alone_are_enough(probe):
    problem = Problem("t/0", "def add(a, b):\n", "add", "    return a + b\n", "")
    unspelled = Problem("t/1", "def ä():\n", "ä", "    return 1\n", "")

    class Strict(Characters):
        def encode(self, text):
            if not text.isascii():
                raise ValueError("the character 'ä' is not in the vocabulary")
            return super().encode(text)

    made = bare(problems=(unspelled, problem), tokenizer=Strict())
    assert any(isinstance(outcome, RuledOut) for outcome in answers(probe(Measured(made))))


@pytest.mark.parametrize("probe", PROBES)
def test_one_row_is_enough(probe):
    made = cached("plain")
    made = replace(made, train=None, validation=replace(made.validation, encoded=made.validation.encoded[:1]))
    assert [type(outcome) for outcome in answers(probe(Measured(made)))] == [RuledOut]


@pytest.mark.parametrize("length", [2, 3, 5])
def test_short_contexts_can_be_asked(length):
    made = of(sound("plain"))
    made = replace(made, model=UncachedModel(sound("plain"), context_length=length, vocabulary_rows=VOCABULARY))
    for probe in (stochastic_forward, batch_invariance, not_finite, vocabulary):
        assert not any(isinstance(outcome, Finding) for outcome in answers(probe(Measured(made))))
    made = cached("plain")
    made.model.context_length = length
    assert isinstance(cache_mismatch(Measured(made)), RuledOut)


class HoldsOut(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = sound("plain")

    def forward(self, ids):
        return self.inner(ids).masked_fill(torch.arange(VOCABULARY) == PAD, -torch.inf)


@pytest.mark.parametrize("probe", [*PROBES[:3], not_finite, vocabulary])
def test_ids_held_out_by_infinity_are_no_fault(probe):
    assert not any(isinstance(outcome, Finding) for outcome in answers(probe(Measured(subject(HoldsOut())))))


# stochastic_forward


@pytest.mark.parametrize("family", ["plain", "llama"])
def test_even_a_little_dropout_is_found(family):
    found = stochastic_forward(Measured(noisy(family, p=0.002)))
    assert isinstance(found, Finding)
    assert (found.evidence["differing_passes"], found.evidence["kind"]) == (32, "noise")


class Remembering(nn.Module):
    """Adds the mean logits of the last call to the next."""

    def __init__(self, inner, weight):
        super().__init__()
        self.inner, self.weight, self.last = inner, weight, 0.0

    def forward(self, ids):
        logits = logits_of(self.inner, ids)
        kept, self.last = self.last, logits.mean(dim=(0, 1))
        return logits + self.weight * kept


@pytest.mark.parametrize("family", ["plain", "llama"])
def test_what_is_kept_between_calls_is_called_state_and_not_noise(family):
    found = stochastic_forward(Measured(of(Remembering(sound(family), 0.5))))
    assert isinstance(found, Finding)
    assert (found.severity, found.evidence["kind"]) == ("cause", "state")
    assert found.evidence["differing_after_another"] == 4


def test_a_model_that_remembers_without_using_it_is_cleared():
    assert isinstance(stochastic_forward(Measured(of(Remembering(sound("plain"), 0.0)))), RuledOut)


def test_the_noise_of_a_model_leaves_no_trace_in_the_program_and_gives_the_same_evidence():
    made = noisy("plain")
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = stochastic_forward(Measured(made))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(4)
    assert stochastic_forward(Measured(made)) == first


@pytest.mark.parametrize("probe", [batch_invariance, cache_mismatch])
def test_noise_is_not_taken_for_a_fault_of_the_batch_or_of_the_cache(probe):
    made = noisy("plain")
    made = replace(made, model=replace_forward(cached("plain").model, made.model))
    outcomes = answers(probe(Measured(made)))
    assert all(isinstance(outcome, NotTestable) and outcome.kind == "undecided" for outcome in outcomes)


def replace_forward(model, other):
    model.logits = other.logits
    return model


# batch_invariance


def test_a_leak_is_not_blamed_on_padding():
    leaks = Measured(of(LEAKS["in the last layer"]("plain")), [LEAK])
    assert isinstance(batch_invariance(leaks), NotTestable)


def test_neighbours_are_asked_for_in_a_leaky_model_too():
    assert isinstance(answers(batch_invariance(Measured(mixing_neighbours("plain"), [LEAK])))[0], Finding)


def test_padding_that_costs_next_to_nothing_is_no_cause():
    made = positions_from_the_end()
    made.model.module.head.weight.data *= 0.001
    made.model.module.head.bias.data.zero_()
    made.model.module.head.weight.data *= 10
    severities = [outcome.severity for outcome in batch_invariance(Measured(made)) if isinstance(outcome, Finding)]
    assert severities == ["note"]


def test_padding_on_the_left_is_tried_where_a_mask_is_taken(golden_text):
    (cleared,) = batch_invariance(Measured(cached("plain")))
    golden_text(cleared.claim, {r"(?<=largest change )\S+": "<number>"})
    made = cached("plain")
    ignoring = made.model.cached_logits
    made.model.cached_logits = lambda ids, mask, positions, cache: ignoring(ids, mask * 0 + 1, positions, cache)
    (found,) = batch_invariance(Measured(made))
    assert found.severity == "contributing"
    assert found.evidence["side"] == "left"


# cache_mismatch


def test_a_model_without_a_cache_is_not_testable():
    assert isinstance(cache_mismatch(Measured(of(sound("plain")))), NotTestable)


def test_a_cache_is_asked_even_where_generation_does_not_trust_it():
    made = cached("llama", lost=1)
    made.model.supports_cache = False
    assert isinstance(cache_mismatch(Measured(made)), Finding)


class UnmaskedBehindCache(CachedPlain):
    """Makes a causal mask for an input that is all it knows, and none behind a cache."""

    def mask(self, new, held):
        return super().mask(new, held) if new == held else torch.ones(new, held, dtype=torch.bool)


def test_several_tokens_behind_a_cache_may_not_see_each_other():
    made = cached("plain")
    made = replace(made, model=UnmaskedBehindCache(made.torch_model.module))
    found = cache_mismatch(Measured(made))
    assert found.severity == "contributing"
    assert found.evidence["at_once"]


def test_a_cache_that_takes_single_tokens_alone_is_sound():
    made = cached("plain")
    forward = made.model.cached_logits

    def one_at_a_time(ids, mask, places, cache):
        if cache and ids.shape[1] > 1:
            raise EvaluationError("one token at a time")
        return forward(ids, mask, places, cache)

    made.model.cached_logits = one_at_a_time
    outcome = cache_mismatch(Measured(made))
    assert isinstance(outcome, RuledOut)
    assert "at_once_change_nats" not in outcome.evidence


def test_a_forward_that_returns_no_cache_is_not_testable():
    made = cached("plain")
    forward = made.model.cached_logits
    made.model.cached_logits = lambda *args: (forward(*args)[0], None)
    assert isinstance(cache_mismatch(Measured(made)), NotTestable)


def test_a_model_that_looks_at_nothing_but_the_token_has_nothing_to_keep():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(VOCABULARY, VOCABULARY)

        def forward(self, ids):
            return self.table(ids)

    assert isinstance(cache_mismatch(Measured(subject(Bag()))), NotTestable)


# vocabulary


def findings(outcomes):
    return [outcome for outcome in outcomes if isinstance(outcome, Finding)]


def test_an_id_of_the_data_without_a_row_is_a_cause():
    made = of(sound("plain"))
    row = replace(made.train.encoded[0], ids=(5, VOCABULARY))
    made = replace(made, train=replace(made.train, encoded=(row, *made.train.encoded[1:])))
    (found,) = findings(vocabulary(Measured(made)))
    assert found.severity == "cause"
    assert found.evidence["highest_id_of_data"] == VOCABULARY


class WithoutDigits(Characters):
    def encode(self, text):
        if any(character.isdigit() for character in text):
            raise ValueError("a digit is not in the vocabulary")
        return super().encode(text)


@pytest.mark.parametrize(("with_digits", "causes"), [(40, 1), (1, 0)])
def test_rows_that_the_tokenizer_can_not_spell_are_a_cause_if_they_are_many(with_digits, causes):
    made = of(sound("plain"))
    rows = (*(DataRow("a\n", "b 7\n") for _ in range(with_digits)), *(DataRow("a\n", "b\n") for _ in range(60)))
    made = replace(made, train=None, validation=replace(made.validation, rows=rows), tokenizer=WithoutDigits())
    found = [finding for finding in findings(vocabulary(Measured(made))) if "rows_unspelled" in finding.evidence]
    assert [finding.severity for finding in found] == ["cause"] * causes


def test_problems_that_the_tokenizer_can_not_spell_are_no_fault_of_training():
    problems = tuple(Problem(f"t/{place}", "def a():\n", "a", "    return 7\n", "") for place in range(40))
    made = replace(of(sound("plain")), problems=problems, train=None, validation=None, tokenizer=WithoutDigits())
    assert not [finding for finding in findings(vocabulary(Measured(made))) if "rows_unspelled" in finding.evidence]


def test_one_text_of_many_that_does_not_come_back_is_a_note():
    made = of(sound("plain"))
    rows = (DataRow("", "naïve\n"), *made.validation.rows[:99])
    (found,) = findings(vocabulary(Measured(replace(made, train=None, validation=replace(made.validation, rows=rows)))))
    assert found.severity == "note"
    assert "ï" in found.evidence["was"]


def test_a_space_before_the_text_and_composed_characters_are_no_loss():
    class Spaced(Characters):
        def decode(self, ids):
            return " " + super().decode(ids)

    assert findings(vocabulary(Measured(replace(of(sound("plain")), tokenizer=Spaced())))) == []


def test_without_texts_the_round_trip_is_not_testable_and_the_range_is(golden_text):
    outcomes = vocabulary(Measured(bare(tokenizer=Tidy())))
    assert any(isinstance(outcome, NotTestable) for outcome in outcomes)
    golden_text((outcome.claim for outcome in outcomes if isinstance(outcome, RuledOut)), MEASURED)


def test_rows_that_were_never_trained_are_a_note_where_texts_use_them():
    made = of(sound("plain"))
    made.model.module.embedding.weight.data[Characters().encode("d")[0]] = 0.0
    (found,) = findings(vocabulary(Measured(made)))
    assert found.severity == "note"
    assert found.evidence["used_small_rows"] == 1


def test_a_token_of_most_rows_that_neither_embedding_nor_head_learned_contributes():
    made = of(sound("plain"))
    (token_id,) = Characters().encode("e")
    made.model.module.embedding.weight.data[token_id] = 0.0
    made.model.module.head.weight.data[token_id] = 0.0
    (found,) = findings(vocabulary(Measured(made)))
    assert found.severity == "contributing"
    assert found.evidence["unlearned_ids"] == [token_id]


def test_a_padded_vocabulary_that_gets_probability_is_a_note():
    made = of(sound("plain"))
    made.model.module.head.bias.data[PAD] = 20.0
    assert findings(vocabulary(Measured(made))) == []
    (found,) = findings(vocabulary(Measured(replace(made, held_out_ids=(PAD,)))))
    assert found.severity == "note"
    assert found.evidence["mass_low"] > 0.01


# not_finite


def test_a_parameter_that_is_not_finite_is_found_where_no_input_reaches_it():
    made = of(sound("llama"))
    made.model.module.model.embed_tokens.weight.data[PAD] = float("nan")
    found = not_finite(Measured(made))
    assert isinstance(found, Finding)
    assert found.evidence["rows_not_finite"] == 0
    assert "embed_tokens" in found.claim


def test_a_row_of_the_mask_in_which_everything_is_hidden_is_found():
    made = of(sound("plain"))

    def hide_all(_part, _args, output):
        hidden = torch.softmax(torch.full((output.shape[1],), -torch.inf), dim=-1)
        return torch.cat([output[:, :1] * hidden[0], output[:, 1:]], dim=1)

    made.model.module.layers[1].register_forward_hook(hide_all)
    assert isinstance(not_finite(Measured(made)), Finding)


def test_all_ids_held_out_at_a_position_is_not_finite():
    made = of(sound("plain"))
    logits = made.model.logits
    made.model.logits = lambda ids: logits(ids).masked_fill((ids == ids[:, :1])[..., None], -torch.inf)
    assert isinstance(not_finite(Measured(made)), Finding)


# future_leak


def transformers_model(name, **more):
    import transformers

    config = getattr(transformers, f"{name}Config")(vocab_size=VOCABULARY, **more)
    kind = "XLNetLMHeadModel" if name == "XLNet" else f"{name}ForCausalLM"
    torch.manual_seed(0)
    module = getattr(transformers, kind)(config).eval().requires_grad_(False)
    return subject(module)


def test_a_class_of_transformers_that_attends_to_the_future_is_found():
    """XLNet's forward sees everything without a permutation mask, and it is listed among the causal models."""
    found = future_leak_of(Measured(transformers_model("XLNet", d_model=32, n_layer=2, n_head=4, d_inner=64)))
    assert isinstance(found, Finding)


SMALL = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT, "pad_token_id": PAD, "bos_token_id": None, "eos_token_id": END,
}  # fmt: skip


def test_doge_is_cleared_with_the_mask_that_it_asks_for_and_found_without(monkeypatch):
    """huggingface/transformers#48748: under sdpa the mask was left out, and its own mask is not causal."""
    from transformers.models.doge import modeling_doge

    made = transformers_model("Doge", num_key_value_heads=2, **SMALL)
    assert isinstance(future_leak_of(Measured(made)), RuledOut)
    create = modeling_doge.create_causal_mask

    def skipping(*args, **kwargs):
        return create(*args, **{k: v for k, v in kwargs.items() if k != "allow_is_causal_skip"})

    monkeypatch.setattr(modeling_doge, "create_causal_mask", skipping)
    assert isinstance(future_leak_of(Measured(made)), Finding)


@pytest.mark.parametrize("name", ["RoFormer", "RemBert", "MegatronBert"])
def test_classes_that_once_attended_to_the_future_are_cleared_as_installed(name):
    """huggingface/transformers#48745."""
    more = {"RoFormer": {"embedding_size": 32}, "RemBert": {"input_embedding_size": 32, "output_embedding_size": 32}}
    made = transformers_model(name, is_decoder=True, **SMALL, **more.get(name, {}))
    assert isinstance(future_leak_of(Measured(made)), RuledOut)


def test_empty_splits_are_like_none():
    empty = Split((), (), "empty.jsonl")
    made = replace(of(sound("plain")), train=empty, validation=empty)
    assert isinstance(future_leak_of(Measured(made)), NotTestable)
