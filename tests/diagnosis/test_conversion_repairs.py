"""What conversions and rewrites leave: one change gives what was trained, and all are undone."""

from types import SimpleNamespace

import pytest
import torch
from test_layer_repairs import HEADS, SIZES, giving, logits
from torch import nn
from torch.nn import functional
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
)

from evalharness.diagnosis.data.rows import TokenRow
from evalharness.diagnosis.repairs import (
    activation,
    key_heads,
    layer_order,
    logit_scale,
    multipliers,
    position_offset,
    switches,
    transposed,
    window,
)
from evalharness.models.torch.model import UncachedModel

ROW = TokenRow(tuple(range(20)), 1, 0, 0, 20)


def made(config=LlamaConfig, model=LlamaForCausalLM, **settings):
    """A small model, drawn at random: the same for the same shapes."""
    torch.manual_seed(0)
    sizes = SIZES | HEADS | {"initializer_range": 0.3}
    return model(config(**sizes | settings)).eval().requires_grad_(requires_grad=False)


def subject(module):
    return SimpleNamespace(
        torch_model=UncachedModel(module, context_length=64, vocabulary_rows=64),
        validation=SimpleNamespace(encoded=(ROW,)),
        train=None,
        end_ids=frozenset(),
    )


def right(wanted, kind, module):
    return giving(wanted, kind, module, subject(module))


def test_square_weights_of_one_name_are_transposed_in_every_layer():
    trained, spoiled = made(), made()
    for layer in spoiled.model.layers:
        layer.self_attn.o_proj.weight.data = layer.self_attn.o_proj.weight.T.clone()
    (repair,) = right(logits(trained), transposed, spoiled)
    assert repair.place == "model.layers.0.self_attn.o_proj.weight"


def test_all_square_weights_are_transposed_together():
    trained, spoiled = made(), made()
    for part in spoiled.modules():
        if isinstance(part, nn.Linear) and part.in_features == part.out_features:
            part.weight.data = part.weight.T.clone()
    assert [repair.kind for repair in right(logits(trained), transposed, spoiled)] == ["transposed"]


@pytest.mark.parametrize(
    ("count", "taken"),
    [
        (12, sorted(range(12), key=str)),
        (4, [3, 2, 1, 0]),
        (4, [2, 3, 0, 1]),
        (4, [0, 2, 1, 3]),
        (6, [0, 3, 1, 4, 2, 5]),
    ],
)
def test_layers_are_put_back_into_their_order(count, taken):
    trained, spoiled = made(num_hidden_layers=count), made(num_hidden_layers=count)
    spoiled.model.layers = nn.ModuleList(spoiled.model.layers[i] for i in taken)
    (repair,) = right(logits(trained), layer_order, spoiled)
    assert repair.place == "model.layers"


class Grouped(nn.Module):
    """An attention of one's own with half as many heads of keys."""

    def __init__(self, beside):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.n_heads, self.beside = nn.Embedding(64, 32), 8, beside
        self.to_query, self.to_out = nn.Linear(32, 32), nn.Linear(32, 32)
        self.to_key, self.to_value = nn.Linear(32, 16), nn.Linear(32, 16)

    def forward(self, ids):
        x = self.embedding(ids)
        query, key, value = (
            part(x).unflatten(-1, (-1, 4)).transpose(1, 2) for part in (self.to_query, self.to_key, self.to_value)
        )
        key, value = (
            own.repeat_interleave(2, dim=1) if self.beside else own.repeat(1, 2, 1, 1) for own in (key, value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.to_out(mixed.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("beside", [True, False])
def test_key_heads_are_repeated_as_in_training(beside):
    model = nn.Sequential(Grouped(beside)), nn.Sequential(Grouped(not beside))
    (repair,) = right(logits(model[0]), key_heads, model[1])
    assert repair.place == "0"


def test_key_heads_of_a_library_are_found():
    trained, spoiled = made(num_key_value_heads=2), made(num_key_value_heads=2)
    order = torch.tensor([0, 2, 1, 3])  # as code reads it that takes the keys in turn
    for layer in spoiled.model.layers:
        query, mixed = layer.self_attn.q_proj.weight, layer.self_attn.o_proj.weight
        query.data = query.unflatten(0, (4, -1))[order].flatten(0, 1)
        mixed.data = mixed.unflatten(1, (4, -1))[:, order].flatten(1)
    assert [repair.kind for repair in right(logits(trained), key_heads, spoiled)] == ["key_heads"]


def test_a_model_whose_keys_have_as_many_heads_has_no_such_repair():
    assert not list(key_heads.repairs(subject(made())))


@pytest.mark.parametrize("other", ["relu", "gelu", "gelu_pytorch_tanh"])
def test_the_activation_of_training_is_found_with_the_key_that_says_it(other):
    trained, spoiled = made(hidden_act=other), made()
    (repair,) = right(logits(trained), activation, spoiled)
    assert repair.settings == {"hidden_act": {"gelu_pytorch_tanh": "gelu_new"}.get(other, other)}


def test_the_root_of_the_width_is_found_before_or_after_the_embedding():
    trained, spoiled = made(), made()
    spoiled.model.embed_tokens.weight.data /= 8.0
    (repair,) = right(logits(trained), multipliers, spoiled)
    assert repair.place == "model.embed_tokens"


@pytest.mark.parametrize(("key", "value"), [("embedding_multiplier", 12.0), ("residual_multiplier", 0.22)])
def test_multipliers_of_a_configuration_are_found(key, value):
    trained, spoiled = made(GraniteConfig, GraniteForCausalLM, **{key: value}), made(GraniteConfig, GraniteForCausalLM)
    found = right(logits(trained), multipliers, spoiled)
    assert [repair.settings for repair in found] == [{key: value}]


@pytest.mark.parametrize(("trained_with", "here"), [(None, 8), (8, None), (16, 8)])
def test_the_window_of_training_is_found(trained_with, here):
    trained, spoiled = (made(MistralConfig, MistralForCausalLM, sliding_window=own) for own in (trained_with, here))
    (repair,) = right(logits(trained), window, spoiled)
    assert repair.settings == {"sliding_window": trained_with}
    assert repair.present == {"sliding_window": here}


class Counting(nn.Module):
    """Expects the next number, and is as sure of it as it is right where each fifth is another; then ``times`` that."""

    def __init__(self, times):
        super().__init__()
        self.embedding, self.times = nn.Embedding(64, 1), times

    def forward(self, ids):
        return functional.one_hot((ids + 1) % 64, 64).float() * 5.5 * self.times


def counting(times):
    known = subject(Counting(times))
    ids = tuple((number // 5 * 10 + number % 5) % 64 for number in range(50))
    known.validation.encoded = (TokenRow(ids, 1, 0, 0, 50),)
    return known


@pytest.mark.parametrize("times", [0.125, 8.0])
def test_logits_of_another_scale_are_found_by_what_they_fit_best(times):
    known = counting(times)
    (repair,) = giving(logits(Counting(1.0)), logit_scale, known.torch_model.module, known)
    assert repair.place.endswith("returns")


def test_a_scale_that_the_configuration_keeps_is_named():
    module = made(GraniteConfig, GraniteForCausalLM, logits_scaling=64.0, tie_word_embeddings=True)
    known = subject(module)
    row = module.generate(torch.tensor([[5]]), max_new_tokens=20, do_sample=False)[0].tolist()
    known.validation.encoded = (TokenRow(tuple(row), 1, 0, 0, len(row)),)
    assert {key for repair in logit_scale.repairs(known) for key in repair.settings} == {"logits_scaling"}


def test_a_model_as_it_was_trained_has_no_other_scale():
    assert not list(logit_scale.repairs(counting(1.0)))


def test_fused_layers_of_gpt2_have_square_weights_too():
    config = GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64)
    torch.manual_seed(0)
    trained, spoiled = GPT2LMHeadModel(config).eval(), GPT2LMHeadModel(config).eval()
    spoiled.load_state_dict(trained.state_dict())
    for block in spoiled.transformer.h:
        block.attn.c_proj.weight.data = block.attn.c_proj.weight.T.clone()
    spoiled.requires_grad_(requires_grad=False)
    assert [repair.place for repair in right(logits(trained), transposed, spoiled)] == [
        "transformer.h.0.attn.c_proj.weight"
    ]


class Placed(nn.Module):
    """Adds the embedding of a position to each id."""

    def __init__(self, begin):
        super().__init__()
        torch.manual_seed(0)
        self.tokens, self.positions, self.begin = nn.Embedding(64, 8), nn.Embedding(32, 8), begin

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]) + self.begin)
        return x @ self.tokens.weight.T


@pytest.mark.parametrize("begin", [1, 2])
def test_positions_are_counted_from_where_training_began(begin):
    for trained, here in ((begin, 0), (0, begin)):
        module = Placed(here)
        found = [
            repair
            for repair in position_offset.repairs(subject(module))
            if torch.equal(_inner(module, repair), _inner(Placed(trained)))
        ]
        assert [repair.place for repair in found] == ["positions.weight"]


def _inner(module, repair=None):
    """The logits behind the first two positions, which a shorter table can't tell."""
    if repair is None:
        return logits(module)[:, 2:]
    with repair.change(module):
        return logits(module)[:, 2:]


@pytest.mark.parametrize("beside", [True, False])
def test_a_switch_that_stands_the_other_way_is_named_with_its_key(beside):
    trained, spoiled = (
        made(GPTNeoXConfig, GPTNeoXForCausalLM, use_parallel_residual=own) for own in (beside, not beside)
    )
    spoiled.load_state_dict(trained.state_dict())
    (repair,) = right(logits(trained), switches, spoiled)
    assert repair.settings == {"use_parallel_residual": beside}


def test_another_number_of_experts_is_named():
    sizes = {"num_local_experts": 4}
    trained, spoiled = (made(MixtralConfig, MixtralForCausalLM, num_experts_per_tok=count, **sizes) for count in (2, 1))
    found = right(logits(trained), switches, spoiled)
    assert {repair.kind for repair in found} == {"experts"}
