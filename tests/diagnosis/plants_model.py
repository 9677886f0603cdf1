"""Faults of the model itself, built into small models of two families that are sound but for them.

A fault that leaves the weights alone is put into a copy of a soundly trained model: what it does to a row alone, or to
a batch that is filled to the context as in training, is then what training with it would have given.
"""

from __future__ import annotations

import copy
import functools
from random import Random

import peft
import torch
from leak_models import causal, full
from plant import Plant
from small_training import (
    CONTEXT,
    FAMILIES,
    VOCABULARY,
    Characters,
    Plain,
    data_rows,
    encoded,
    logits_of,
    subject,
    train,
    wrapped,
)
from torch import nn
from torch.nn import functional

from evalharness.checkpoints.adapted import adapter_facts, without_adapter
from evalharness.checkpoints.huggingface import CachedModel, call_without_cache
from evalharness.checkpoints.model import TorchModel
from evalharness.diagnosis.rows import DataRow
from evalharness.diagnosis.subject import Split

STEPS = 90
STEPS_OF_A_LEAK = 480


@functools.cache
def _sound(family: str) -> nn.Module:
    torch.manual_seed(0)
    module = FAMILIES[family]()
    train(module, encoded(data_rows(200, 1), end=True), steps=STEPS)
    return module


def sound(family: str) -> nn.Module:
    """A copy of a soundly trained module; each is trained once."""
    return copy.deepcopy(_sound(family))


def of(module: nn.Module, **more):
    return subject(module, end=True, **more)


def layers_of(module: nn.Module):
    return module.layers if isinstance(module, Plain) else module.model.layers


# Leaks


def beyond_a_distance(length):
    places = torch.arange(length)
    return causal(length) | (places - places[:, None] > 60)


def blocks_of_32(length):
    places = torch.arange(length)
    return causal(length) | (places[:, None] // 32 == places // 32)


def past_a_length(length):
    return full(length) if length > 64 else causal(length)


def masked(family: str, *masks, hidden: float = -torch.inf, gain: float = 1.0) -> nn.Module:
    """An untrained module whose layers are masked by ``masks``; a masked score gets ``hidden`` added."""
    torch.manual_seed(0)
    module = FAMILIES[family]()

    def scores(mask, length):
        return torch.zeros(length, length).masked_fill(~mask(length), hidden)

    for layer, mask in zip(layers_of(module), masks, strict=True):
        if family == "plain":
            layer.mask = functools.partial(scores, mask)
            layer.qkv.weight.data[: 2 * layer.qkv.in_features] *= gain
        else:

            def hook(_part, args, kwargs, mask=mask):
                length = kwargs["hidden_states"].shape[1]
                return args, {**kwargs, "attention_mask": scores(mask, length)[None, None]}

            layer.self_attn.register_forward_pre_hook(hook, with_kwargs=True)
            for name in ("q_proj", "k_proj"):
                getattr(layer.self_attn, name).weight.data *= gain
    return module.eval().requires_grad_(False)


GAINS = {"plain": 12.0, "llama": 60.0}
"""What queries and keys are multiplied with, so that scores reach beyond the finite mask from where they start."""

LEAKS = {
    "far away": lambda family: masked(family, beyond_a_distance, causal),
    "inside blocks": lambda family: masked(family, blocks_of_32, blocks_of_32),
    "in the first layer": lambda family: masked(family, full, causal),
    "in the last layer": lambda family: masked(family, causal, full),
    "past a length": lambda family: masked(family, past_a_length, past_a_length),
    "where scores override a finite mask": lambda family: masked(
        family, causal, causal, hidden=-30.0, gain=GAINS[family]
    ),
    "under one attention backend": lambda family: with_backend(family, "sdpa"),
}


def with_backend(family: str, backend: str) -> nn.Module:
    """A module whose attention has a mask when it is computed step by step, and forgets it in the fused kernel."""
    module = sound(family)
    if family == "plain":
        for layer in module.layers:
            layer.__class__ = _TwoBackends
            layer.backend = backend
        return module
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    def forgetful(part, query, key, value, _mask, **more):
        return sdpa_attention_forward(part, query, key, value, None, **{**more, "is_causal": False})

    AttentionInterface.register("forgetful_sdpa", forgetful)
    module.config._attn_implementation = "forgetful_sdpa" if backend == "sdpa" else "eager"
    return module


class _TwoBackends(type(Plain().layers[0])):
    """Fused: a mask is asked for by a flag that nobody set. Step by step: masked."""

    def forward(self, x):
        if self.backend != "sdpa":
            return super().forward(x)
        mask, self.mask = self.mask, lambda _: None
        try:
            return super().forward(x)
        finally:
            self.mask = mask


@functools.cache
def pieces(seed: int, count: int = 600) -> Split:
    """Rows of all lengths, pieces of a text, with a line end after each: only that is predicted from what is before."""
    rng, texts = Random(seed), []
    for row in data_rows(count, seed):
        text = row.prompt + row.completion
        begin = rng.randrange(len(text) - 4)
        texts.append(DataRow("", text[begin : rng.randrange(begin + 3, len(text))] + "\n"))
    return Split(tuple(texts), encoded(texts), f"pieces {seed}")


@functools.cache
def _leaky(family: str) -> nn.Module:
    """Trained with no mask at all, on rows of one length at a time: without padding, as the seed's run was."""
    module = masked(family, full, full).requires_grad_(True)
    torch.manual_seed(0)
    by_length: dict[int, list] = {}
    for row in pieces(1).encoded:
        by_length.setdefault(len(row.ids), []).append(row.ids)
    groups, rng, steps = list(by_length.values()), Random(0), STEPS_OF_A_LEAK
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 3e-3 * min(1.0, (step + 1) / 20) * (1 - 0.9 * step / steps)
        ids = torch.tensor(rng.choice(groups))
        loss = functional.cross_entropy(logits_of(module, ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module.eval().requires_grad_(False)


def leaky(family: str, **more):
    module = _leaky(family)
    given = {"train": pieces(1), "validation": pieces(2), "generate": functools.partial(greedy, module), **more}
    return subject(module, **given)


def greedy(module: nn.Module, prompts, count: int):
    """Complete each prompt alone: no padding."""
    written = []
    for prompt in prompts:
        ids = list(prompt)
        for _ in range(min(count, CONTEXT - len(ids))):
            with torch.no_grad():
                ids.append(int(logits_of(module, torch.tensor([ids]))[0, -1].argmax()))
        written.append(tuple(ids[len(prompt) :]))
    return written


# Noise, batches, the cache


def noisy(family: str, p: float = 0.1):
    module = sound(family)
    for layer in layers_of(module):
        # Functional dropout is on unless it is told otherwise.
        layer.mlp.register_forward_hook(lambda _part, _args, output: functional.dropout(output, p))
    return of(module)


def mixing_neighbours(family: str):
    module = sound(family)
    layers_of(module)[1].mlp.register_forward_hook(lambda _part, _args, output: output - 0.5 * output.mean(0))
    return of(module)


def positions_from_the_end():
    """Right where rows are filled to the context, as in training, and wrong for a row that is shorter."""
    module = sound("plain")
    places = module.places.weight.data.clone()
    module.places.register_forward_hook(lambda _part, _args, output: places[CONTEXT - len(output) :])
    return of(module)


def scaled_by_length():
    module = sound("llama")
    module.lm_head.register_forward_pre_hook(lambda _part, args: (args[0] * args[0].shape[1] / CONTEXT,))
    return of(module)


class CachedPlain(TorchModel):
    """``Plain`` with keys and values kept; ``lost`` is by how much it counts new positions wrongly."""

    supports_cache = True

    def __init__(self, module: Plain, lost: int = 0):
        super().__init__(module, context_length=CONTEXT, vocabulary_rows=VOCABULARY)
        self.lost = lost

    def cached_logits(self, ids, attention_mask, position_ids, cache):
        places = position_ids - (self.lost if cache else 0)
        x = self.module.embedding(ids) + self.module.places(places.clamp(min=0))
        new, held = ids.shape[1], attention_mask.shape[1]
        mask = causal(held)[held - new :] & attention_mask[:, None, None, :].bool()
        # A row that begins with padding has positions that see nothing: they see themselves.
        mask = mask | torch.eye(held, dtype=torch.bool)[held - new :]
        kept = []
        for i, layer in enumerate(self.module.layers):
            q, k, v = (
                part.view(len(ids), new, layer.heads, -1).transpose(1, 2)
                for part in layer.qkv(layer.norm_1(x)).chunk(3, -1)
            )
            if cache:
                k, v = torch.cat([cache[i][0], k], 2), torch.cat([cache[i][1], v], 2)
            kept.append((k, v))
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            x = x + layer.out_proj(mixed.transpose(1, 2).reshape(x.shape))
            x = x + layer.mlp(layer.norm_2(x))
        return self.module.head(self.module.norm(x)), kept


def cached(family: str, lost: int = 0):
    """A model with a cache, which counts the positions after it wrongly where ``lost`` is not 0."""
    module = sound(family)
    if family == "plain":
        model = CachedPlain(module, lost)
    else:
        if lost:
            module.model.register_forward_pre_hook(functools.partial(_lose, lost), with_kwargs=True)
        model = CachedModel(module, forward=call_without_cache, context_length=CONTEXT, vocabulary_rows=VOCABULARY)
    return copy_of(of(module), model=model)


def _lose(lost, _part, args, kwargs):
    held = kwargs.get("past_key_values")
    if held is None or not held.get_seq_length():
        return args, kwargs
    return args, {**kwargs, "position_ids": (kwargs["position_ids"] - lost).clamp(min=0)}


def copy_of(made, **changes):
    from dataclasses import replace

    return replace(made, **changes)


# The vocabulary


class Tidy(Characters):
    """Decodes to tidy text: indentation is gone."""

    def decode(self, ids):
        return "\n".join(line.strip() for line in super().decode(ids).split("\n"))


class Larger(Characters):
    vocab_size = VOCABULARY + 30


# Numbers that are not finite


def overflowing(family: str, dtype=torch.float16, largest: float = 60_000.0):
    """Everything that is added up along the layers is as large as ``largest``, which the norms take out again.

    In single precision it is the sound model to within rounding; in float16 sums are infinite.
    """
    module = sound(family)
    with torch.no_grad():
        if family == "plain":
            parts = [p for layer in module.layers for p in (layer.out_proj, layer.mlp[2])]
            tables = [module.embedding, module.places]
        else:
            parts = [p for layer in module.model.layers for p in (layer.self_attn.o_proj, layer.mlp.down_proj)]
            tables = [module.model.embed_tokens]
        added = [p for part in (*parts, *tables) for p in part.parameters()]
        factor = largest / max(float(p.abs().max()) for p in added)
        for parameter in added:
            parameter.mul_(factor)
    return of(module.to(dtype))


# Adapters

TARGETS = {"plain": ["qkv", "out_proj"], "llama": ["q_proj", "v_proj", "o_proj"]}
RANK, ALPHA = 4, 16


def lora(family: str):
    return peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS[family])


@functools.cache
def _adapted(family: str) -> nn.Module:
    """The sound module with an adapter that was trained on other rows."""
    module = sound(family)
    torch.manual_seed(1)
    module = peft.inject_adapter_in_model(lora(family), module)
    train(module, encoded(data_rows(200, 3), end=True), steps=40)
    return module


def adapted(family: str, *, spoil=lambda _module: None, over=None, step: int = 40, original: bool = True):
    """A model with its adapter. ``spoil`` is done to the module, ``over`` gives a base in place of the sound one."""
    module = copy.deepcopy(_adapted(family))
    if over is not None:
        over(module)
    spoil(module)
    module.eval().requires_grad_(False)
    facts = adapter_facts(module, lora(family), step=step, original=sound(family).state_dict() if original else None)
    made = of(module)
    return copy_of(made, adapter=facts, without_adapter=without_adapter(made.model))


def lora_parts(module):
    from peft.tuners.lora import LoraLayer

    return [part for part in module.modules() if isinstance(part, LoraLayer)]


def switch_off(module):
    for part in lora_parts(module):
        part.enable_adapters(False)


def zero(module):
    for part in lora_parts(module):
        part.lora_B["default"].weight.data.zero_()


def scale_by_four(module):
    for part in lora_parts(module):
        part.scaling["default"] *= 4.0


def merge_first(module):
    """Put the adapter into the base, and leave it on."""
    for part in lora_parts(module):
        part.get_base_layer().weight.data += part.get_delta_weight("default").detach()


def _plants() -> dict[str, Plant]:
    made = {}
    for family in FAMILIES:
        for name, make in LEAKS.items():
            made[f"{family}: a leak {name}"] = Plant("future_leak", family, lambda f=family, m=make: of(m(f)))
        for name, probe, make in (
            ("no mask", "future_leak", leaky),
            ("dropout in evaluation mode", "stochastic_forward", noisy),
            ("neighbours that mix", "batch_invariance", mixing_neighbours),
            ("a cache that loses a position", "cache_mismatch", functools.partial(cached, lost=1)),
            ("float16 that overflows", "not_finite", overflowing),
            ("an adapter of zeros", "adapter", functools.partial(adapted, spoil=zero)),
            ("an adapter switched off", "adapter", functools.partial(adapted, spoil=switch_off)),
            ("an adapter scaled by four", "adapter", functools.partial(adapted, spoil=scale_by_four)),
            ("an adapter applied twice", "adapter", functools.partial(adapted, spoil=merge_first)),
        ):
            made[f"{family}: {name}"] = Plant(probe, family, functools.partial(make, family))
        for name, tokenizer in (("text without indentation", Tidy), ("ids without a row", Larger)):
            make = functools.partial(_with_tokenizer, family, tokenizer)
            made[f"{family}: {name}"] = Plant("vocabulary", family, make)
    made["plain: positions from the end"] = Plant("batch_invariance", "plain", positions_from_the_end)
    made["llama: logits scaled by length"] = Plant("batch_invariance", "llama", scaled_by_length)
    return made


def _with_tokenizer(family, tokenizer):
    return copy_of(of(sound(family)), tokenizer=tokenizer())


PLANTS = _plants()
__all__ = ["PLANTS", "adapted", "cached", "leaky", "masked", "overflowing", "sound", "wrapped"]
