"""Models that see the future, in every form that a leak can take: built in, or trained with.

A leak that is part of the architecture shows in random weights; what a leak does to the text shows in trained ones.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from random import Random

import torch
from leak_models import causal, full, last_token, next_token, only_later
from plant import Plant
from small_sound import layers_of, of, sound
from small_training import (
    CONTEXT,
    END,
    FAMILIES,
    PAD,
    VOCABULARY,
    Plain,
    data_rows,
    encoded,
    logits_of,
    subject,
    trained_without_padding,
)
from torch import nn
from whole import whole

from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.subject import Split

STEPS = 240
LINE_ENDS = 6


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
    "of the next token alone": lambda family: masked(family, next_token, next_token),
    "of the last token alone": lambda family: masked(family, causal, last_token),
    "of nothing but the future": lambda family: masked(family, only_later, only_later),
    "through a mask that is too small": lambda family: masked(family, causal, causal, hidden=-1.0),
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
    """Rows of all lengths, pieces of a text, with line ends after each: only the last has no answer in its input."""
    rng, texts = Random(seed), []
    text = "".join(row.prompt + row.completion for row in data_rows(200, seed)).replace("\n", " ")
    for _ in range(count):
        begin, length = rng.randrange(len(text) - CONTEXT), rng.randrange(3, CONTEXT - LINE_ENDS)
        texts.append(DataRow("", text[begin : begin + length] + "\n" * rng.randint(1, LINE_ENDS)))
    return Split(tuple(texts), encoded(texts), f"pieces {seed}")


@functools.cache
def _leaky(family: str) -> nn.Module:
    """Trained with no mask at all, on rows of one length at a time: without padding, as the seed's run was."""
    module = masked(family, full, full).requires_grad_(True)
    return trained_without_padding(module, pieces(1).encoded, STEPS)


def leaky(family: str, **more):
    module = _leaky(family)
    given = {"train": pieces(1), "validation": pieces(2), "generate": functools.partial(greedy, module), **more}
    # No end token is known: the rows have none, and that is no fault of this plant.
    return replace(subject(module, **given), end_ids=frozenset())


def writing(family: str):
    """The same, and what it was seen to write."""
    return whole(leaky(family))


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


class Recurrent(nn.Module):
    def __init__(self, bidirectional: bool = False):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 32)
        self.gru = nn.GRU(32, 32, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(64 if bidirectional else 32, VOCABULARY)

    def forward(self, ids):
        return self.head(self.gru(self.embedding(ids))[0])


def two_directions():
    torch.manual_seed(0)
    return of(Recurrent(bidirectional=True).eval().requires_grad_(False))


def xlnet(attention: str = "bi") -> nn.Module:
    """A class of transformers that attends both ways unless its configuration says otherwise."""
    import transformers

    torch.manual_seed(0)
    config = transformers.XLNetConfig(
        vocab_size=VOCABULARY, d_model=32, n_layer=2, n_head=4, d_inner=64, attn_type=attention, pad_token_id=PAD,
        eos_token_id=END, bos_token_id=None,
    )  # fmt: skip
    return transformers.XLNetLMHeadModel(config)


def of_transformers():
    return of(xlnet().eval().requires_grad_(False))


PLANTS = {
    **{
        f"{family}: a leak {name}": Plant("future_leak", family, lambda f=family, m=make: of(m(f)))
        for family in FAMILIES
        for name, make in LEAKS.items()
    },
    **{f"{family}: no mask": Plant("future_leak", family, functools.partial(leaky, family)) for family in FAMILIES},
    **{
        f"{family}: no mask, and rows that end in one token": Plant(
            "last_position", family, functools.partial(writing, family), behind="future_leak"
        )
        for family in FAMILIES
    },
    "recurrent: two directions": Plant("future_leak", "recurrent", two_directions),
    "transformers: XLNetLMHeadModel": Plant("future_leak", "transformers", of_transformers),
}
