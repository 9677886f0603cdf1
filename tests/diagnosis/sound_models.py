"""Models that are sound, however unusual they are: nothing of them is a cause of anything.

``UNTRAINED`` costs nothing to make. ``TRAINED`` are trained for seconds each, as far as their kind asks for it.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import torch
from leak_models import causal, sliding_window
from plants_adapter import adapted
from plants_behaviour import texts_encoded_whole, up_to_the_boundary, with_head
from plants_leaks import Recurrent, with_backend, xlnet
from plants_losses import learnt_by_heart
from plants_model import cached, overflowing, writing
from small_sound import of, sound, trained
from small_training import CONTEXT, END, FAMILIES, PAD, VOCABULARY, Plain, data_rows, encoded, subject
from torch import nn

from evalharness.diagnosis.data.rows import TokenRow
from evalharness.diagnosis.subject import Split, Subject
from evalharness.models.torch.huggingface import CachedModel, call_without_cache

STEPS = 100


def seeded(make):
    torch.manual_seed(0)
    return make().eval().requires_grad_(False)


def taught(make, *, steps: int = STEPS) -> nn.Module:
    torch.manual_seed(0)
    return trained(make(), encoded(data_rows(200, 1), end=True), steps)


def zero_started():
    module = Plain()
    for parameter in (
        module.head.weight,
        module.head.bias,
        *(p for x in module.layers for p in x.out_proj.parameters()),
    ):
        nn.init.zeros_(parameter)
    return module


def tied():
    module = Plain()
    nn.init.normal_(module.embedding.weight, std=0.1)
    module.head.weight = module.embedding.weight
    return module


def with_dropout():
    module = Plain()
    for layer in module.layers:
        layer.mlp.append(nn.Dropout(0.3))
    return module


def prefers_the_end():
    module = Plain()
    module.head.bias.data[END] = 30.0
    return module


def trained_after_a_begin_token() -> Subject:
    """Every row of it begins with one token, and it has never seen a text that does not."""
    splits = {}
    for name, seed in (("train", 1), ("validation", 2)):
        rows = encoded(data_rows(200, seed), end=True)
        begun = [TokenRow((END, *r.ids)[:CONTEXT], 1, r.prompt_tokens + 1, r.row, r.tokens + 1) for r in rows]
        splits[name] = Split(tuple(data_rows(200, seed)), tuple(begun), f"{name}.jsonl")
    return replace(subject(trained("plain", splits["train"].encoded, STEPS)), begin_ids=(END,), **splits)


def configured(name: str, **more) -> nn.Module:
    """A small causal model of transformers, with random weights."""
    import transformers

    settings = {
        "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "max_position_embeddings": CONTEXT, "pad_token_id": PAD, "bos_token_id": None,
        "eos_token_id": END, **more,
    }  # fmt: skip
    return getattr(transformers, f"{name}ForCausalLM")(getattr(transformers, f"{name}Config")(**settings))


def gpt2() -> nn.Module:
    import transformers

    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT, bos_token_id=None, eos_token_id=END
    )
    return transformers.GPT2LMHeadModel(config)


def with_cache(module: nn.Module) -> Subject:
    model = CachedModel(module, forward=call_without_cache, context_length=CONTEXT, vocabulary_rows=VOCABULARY)
    return replace(of(module), model=model)


def overfit(family: str) -> Subject:
    return replace(learnt_by_heart(family), log=(), logged=None)


mistral = functools.partial(configured, "Mistral", sliding_window=8, num_key_value_heads=2)
mixtral = functools.partial(configured, "Mixtral", num_local_experts=4, num_experts_per_tok=2, num_key_value_heads=2)
mamba = functools.partial(configured, "Mamba", state_size=8)


def finite_mask(length):
    return torch.zeros(length, length).masked_fill(~causal(length), -1e9)


UNTRAINED = {
    "untrained": lambda: of(seeded(Plain)),
    "untrained, its projections zero": lambda: of(seeded(zero_started)),
    "untrained, tied embeddings": lambda: of(seeded(tied)),
    "untrained, dropout declared": lambda: of(seeded(with_dropout)),
    "untrained, a sliding window": lambda: of(seeded(lambda: Plain(sliding_window))),
    "untrained, a mask of large finite numbers": lambda: of(seeded(lambda: Plain(finite_mask))),
    "untrained, recurrence": lambda: of(seeded(Recurrent)),
    "untrained, one that prefers a token": lambda: replace(of(seeded(prefers_the_end)), begin_ids=(END,)),
    "untrained, bfloat16 with a cache": lambda: with_cache(seeded(lambda: configured("Llama").bfloat16())),
    "untrained, a cache and a sliding window": lambda: with_cache(seeded(mistral)),
    "untrained, learned positions and a cache": lambda: with_cache(seeded(gpt2)),
    "untrained, mixture of experts": lambda: with_cache(seeded(mixtral)),
    "untrained, mixture of experts in bfloat16": lambda: with_cache(seeded(lambda: mixtral().bfloat16())),
    "untrained, state space": lambda: of(seeded(mamba)),
    "untrained, XLNet told to attend to what is before": lambda: of(seeded(lambda: xlnet("uni"))),
}
TRAINED = {
    **{f"barely trained, {family}": lambda f=family: of(taught(FAMILIES[f], steps=10)) for family in FAMILIES},
    **{f"overfit, {family}": functools.partial(overfit, family) for family in FAMILIES},
    "of characters, without a cache": lambda: of(sound("plain")),
    "without a cache, llama": lambda: of(sound("llama")),
    "a cache of one's own": lambda: cached("plain"),
    "a generate of one's own, plain": lambda: writing("plain", last=None),
    "a generate of one's own, llama": lambda: writing("llama", last=None),
    "with a cache, llama": lambda: cached("llama"),
    "tied embeddings": lambda: of(taught(tied)),
    "dropout declared": lambda: of(taught(with_dropout)),
    "a sliding window": lambda: of(taught(lambda: Plain(sliding_window))),
    "a cache and a sliding window": lambda: with_cache(taught(mistral)),
    "a mask of large finite numbers": lambda: of(taught(lambda: Plain(finite_mask))),
    "recurrence": lambda: of(taught(Recurrent)),
    "state space": lambda: of(taught(mamba, steps=60)),
    "mixture of experts": lambda: with_cache(taught(mixtral)),
    "mixture of experts in bfloat16": lambda: with_cache(taught(mixtral).bfloat16()),
    "learned positions and a cache": lambda: with_cache(taught(gpt2)),
    "bfloat16": lambda: of(sound("plain").bfloat16()),
    "bfloat16 with a cache": lambda: with_cache(sound("llama").bfloat16()),
    "trained after a begin token": trained_after_a_begin_token,
    "a padded vocabulary": lambda: replace(of(sound("plain")), held_out_ids=(PAD,)),
    "large sums in single precision": lambda: overflowing("llama", torch.float32),
    **{f"attention step by step, {f}": lambda f=f: of(with_backend(f, "eager")) for f in FAMILIES},
    **{f"an adapter, {f}": functools.partial(adapted, f) for f in FAMILIES},
    "an adapter over a base that nobody kept": lambda: adapted("plain", original=False),
    **{f"scored as it was trained, {f}": functools.partial(with_head, f) for f in FAMILIES},
    **{f"texts encoded whole, {family}": functools.partial(texts_encoded_whole, family) for family in FAMILIES},
    **{f"merging tokens in training and scoring, {f}": functools.partial(up_to_the_boundary, f) for f in FAMILIES},
}
SOUND = {**UNTRAINED, **TRAINED}
