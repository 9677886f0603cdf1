"""Faults of the model itself, built into small models of two families that are sound but for them.

A fault that leaves the weights alone is put into a copy of a soundly trained model: what it does to a row alone, or to
a batch that is filled to the context, is then what training with it would have given.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import torch
from leak_models import causal
from plant import Plant
from small_sound import layers_of, of, sound
from small_training import CONTEXT, FAMILIES, VOCABULARY, Characters, Plain, logits_of
from torch import nn
from torch.nn import functional

from evalharness.models.torch.huggingface import CachedModel, call_without_cache
from evalharness.models.torch.model import UncachedModel

# A generate of one's own


def writing(family: str, last: int | None = 6):
    """A ``generate`` that reads the last tokens alone, their positions counted anew; all of them with ``last`` None."""
    made = of(sound(family))

    def write(prompt, new_tokens):
        ids = list(prompt)
        for _ in range(new_tokens):
            read = ids if last is None else ids[-last:]
            ids.append(int(made.model.logits(torch.tensor([read]))[0, -1].argmax()))
        return tuple(ids[len(prompt) :])

    return replace(made, own_generate=write)


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
    """Right where rows are filled to the context, as a training may do, and wrong for a row that is shorter."""
    module = sound("plain")
    places = module.places.weight.data.clone()
    module.places.register_forward_hook(lambda _part, _args, output: places[CONTEXT - len(output) :])
    return of(module)


def scaled_by_length():
    module = sound("llama")
    module.lm_head.register_forward_pre_hook(lambda _part, args: (args[0] * (args[0].shape[1] / CONTEXT) ** 2,))
    return of(module)


class CachedPlain(UncachedModel):
    """``Plain`` with keys and values kept; ``lost`` is by how much it counts new positions wrongly."""

    capabilities = UncachedModel.capabilities | {"cache"}
    supports_cache = True

    def __init__(self, module: Plain, lost: int = 0):
        super().__init__(module, context_length=CONTEXT, vocabulary_rows=VOCABULARY)
        self.lost = lost

    def cached_logits(self, ids, attention_mask, position_ids, cache):
        places = position_ids - (self.lost if cache else 0)
        x = self.module.embedding(ids) + self.module.places(places.clamp(min=0))
        new, held = ids.shape[1], attention_mask.shape[1]
        mask = self.mask(new, held) & attention_mask[:, None, None, :].bool()
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

    def mask(self, new, held):
        """What the last ``new`` of ``held`` positions see."""
        return causal(held)[held - new :]


def cached(family: str, lost: int = 0):
    """A model with a cache, which counts the positions after it wrongly where ``lost`` is not 0."""
    module = sound(family)
    if family == "plain":
        model = CachedPlain(module, lost)
    else:
        if lost:
            module.model.register_forward_pre_hook(functools.partial(_lose, lost), with_kwargs=True)
        model = CachedModel(module, forward=call_without_cache, context_length=CONTEXT, vocabulary_rows=VOCABULARY)
    return replace(of(module), model=model)


def _lose(lost, _part, args, kwargs):
    held = kwargs.get("past_key_values")
    if held is None or not held.get_seq_length():
        return args, kwargs
    return args, {**kwargs, "position_ids": (kwargs["position_ids"] - lost).clamp(min=0)}


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


def with_tokenizer(tokenizer, family: str):
    return replace(of(sound(family)), tokenizer=tokenizer())


# Outputs that are no logits


class Squashed(nn.Module):
    """Ends in a softmax, or in another function of its logits."""

    def __init__(self, inner: nn.Module, squash) -> None:
        super().__init__()
        self.inner, self.squash = inner, squash

    def forward(self, ids):
        return self.squash(logits_of(self.inner, ids))


def squashed(family: str, squash=lambda logits: logits.softmax(dim=-1)):
    return of(Squashed(sound(family), squash))


MAKERS = {
    "a softmax in the forward pass": ("not_logits", squashed),
    "dropout in evaluation mode": ("stochastic_forward", noisy),
    "neighbours that mix": ("batch_invariance", mixing_neighbours),
    "a cache that loses a position": ("cache_mismatch", functools.partial(cached, lost=1)),
    "a generate that reads the last tokens alone": ("own_generation", writing),
    "float16 that overflows": ("not_finite", overflowing),
    "text without indentation": ("vocabulary", functools.partial(with_tokenizer, Tidy)),
    "ids without a row": ("vocabulary", functools.partial(with_tokenizer, Larger)),
}
PLANTS = {
    **{
        f"{family}: {name}": Plant(probe, family, functools.partial(make, family))
        for family in FAMILIES
        for name, (probe, make) in MAKERS.items()
    },
    "plain: positions from the end": Plant("batch_invariance", "plain", positions_from_the_end),
    "llama: logits scaled by length": Plant("batch_invariance", "llama", scaled_by_length),
}
