"""Sound models that are loaded in another way than they were trained: each has the log of its training."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import peft
import torch
from leak_models import causal
from plant import Plant
from plants_adapter import RANK, lora, lora_parts
from small_sound import of, padded, sound, trained
from small_training import Plain, data_rows, encoded, train
from torch import nn
from torch.nn import functional
from whole import log_of

from evalharness.diagnosis.data.rows import TokenRow
from evalharness.diagnosis.losses.counted_losses import Counting, counted_losses, figure
from evalharness.diagnosis.subject import Subject
from evalharness.models.protocols import WeightSet
from evalharness.models.torch.adapted import adapter_facts, without_adapter
from evalharness.records import LossPoint

ROWS = 48


def spoiled_after_logging(module: nn.Module, spoil: Callable[[nn.Module], None]) -> Subject:
    """The log is that of the sound model; the model is another."""
    log = log_of(few(of(module)))
    spoil(module)
    return few(of(module, **log))


def few(subject: Subject) -> Subject:
    """The subject with 48 validation rows, which are measured in a moment."""
    split = subject.validation
    return replace(subject, validation=replace(split, rows=split.rows[:ROWS], encoded=split.encoded[:ROWS]))


def another_rope(module: nn.Module, theta: float = 1e6) -> None:
    """What an export does that leaves ``rope_theta`` out, or writes another."""
    part = module.model.rotary_emb
    module.config.rope_parameters = {"rope_type": "default", "rope_theta": theta}
    module.model.rotary_emb = type(part)(config=module.config)


def neighbours_paired(module: nn.Module) -> None:
    """What a conversion leaves that does not permute: queries and keys whose rotary pairs stand side by side."""
    for layer in module.model.layers:
        for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj):
            weight = projection.weight
            heads = weight.data.view(-1, 2, layer.self_attn.head_dim // 2, weight.shape[1])
            weight.data = heads.transpose(1, 2).reshape(weight.shape)


def scores_scaled(module: nn.Module, times: float = 0.25) -> None:
    """What a conversion leaves that loses the number by whose root the scores are divided."""
    if isinstance(module, Plain):
        for layer in module.layers:
            for tensor in (layer.qkv.weight, layer.qkv.bias):
                tensor.data[: len(tensor) // 3] *= times
    else:
        for layer in module.model.layers:
            layer.self_attn.scaling *= times


def other_heads(module: nn.Module, heads: int = 8) -> None:
    """What code does that has a number of heads of its own: the weights have the same shapes."""
    if isinstance(module, Plain):
        for layer in module.layers:
            layer.heads = heads
        return
    config = copy.deepcopy(module.config)
    config.num_attention_heads = config.num_key_value_heads = heads
    config.head_dim = config.hidden_size // heads
    made = type(module)(config).eval().requires_grad_(requires_grad=False)
    made.load_state_dict(module.state_dict())
    module.config, module.model = config, made.model


def rows_by_head(module: nn.Module) -> None:
    """Fused projections as code has them that takes all of the first head first."""
    for layer in module.layers:
        for tensor in (layer.qkv.weight, layer.qkv.bias):
            tensor.data = tensor.data.unflatten(0, (3, layer.heads, -1)).transpose(0, 1).flatten(0, 2)


def gates_exchanged(module: nn.Module) -> None:
    """What a conversion leaves that takes the two projections of gated layers for each other."""
    for layer in module.model.layers:
        layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight = layer.mlp.up_proj.weight, layer.mlp.gate_proj.weight


def norms_without_their_one(module: nn.Module) -> None:
    """What code has that multiplies by weights which are deviations from one."""
    for part in module.modules():
        if type(part).__name__.endswith("RMSNorm"):
            part.weight.data -= 1.0


def text_losses(module: nn.Module) -> tuple[float, float]:
    """The mean loss (nats) of all targets of the validation rows, and that of their completions, ends among them."""
    subject = few(of(module))
    rows = counted_losses(subject.torch_model, subject.validation.encoded, subject.end_ids)
    means = [figure(rows, Counting(prompt, end=True), 0).estimate for prompt in (True, False)]
    return means[0], means[1]


def rope_hidden_by_chance() -> Subject:
    """A base that makes the completions as hard as all targets were in training: as loaded another count fits."""
    module = sound("llama")
    every, _ = text_losses(module)
    low, high = 1e4, 1e9
    for _ in range(16):
        theta = math.sqrt(low * high)
        another_rope(module, theta)
        low, high = (theta, high) if text_losses(module)[1] < every else (low, theta)
    log = (LossPoint(1, "validation", every + 3.0, "log"), LossPoint(100, "validation", every, "log"))
    return few(of(module, log=log, logged=log[-1]))


@functools.cache
def _tied(family: str) -> nn.Module:
    module = Plain() if family == "plain" else sound(family)
    head, embedding = (
        (module.head, module.embedding) if family == "plain" else (module.lm_head, module.model.embed_tokens)
    )
    nn.init.normal_(embedding.weight, std=0.1)
    head.weight = embedding.weight
    return trained(module.requires_grad_(), encoded(data_rows(200, 1), end=True), 120)


def tied(family: str) -> nn.Module:
    return copy.deepcopy(_tied(family))


def redraw_head(module: nn.Module) -> None:
    """A head that was tied in training, and that a new model draws for itself."""
    head = module.head if isinstance(module, Plain) else module.lm_head
    torch.manual_seed(3)
    head.weight = nn.Parameter(torch.randn_like(head.weight) * 0.05, requires_grad=False)


def reorder_ids(module: nn.Module) -> None:
    """What a vocabulary does that is made anew: each id stands for another character."""
    order = torch.randperm(len(module.embedding.weight), generator=torch.Generator().manual_seed(2))
    for tensor in (module.embedding.weight, module.head.weight, module.head.bias):
        tensor.data = tensor.data[order]


@functools.cache
def _rank_stabilised(family: str) -> nn.Module:
    """A model that hardly learned, and an adapter over it that learned the rest with the scale α/√r."""
    module = trained(family, encoded(data_rows(200, 1), end=True), 30)
    torch.manual_seed(1)
    module = peft.inject_adapter_in_model(lora(family, use_rslora=True), module)
    train(module, encoded(data_rows(200, 1), end=True), steps=80)
    return module


def rank_stabilised(family: str) -> Subject:
    """Its configuration lost ``use_rslora``, so that it is applied with α/r. Its base is not known."""
    module = copy.deepcopy(_rank_stabilised(family))
    log = log_of(few(of(module)))
    for part in lora_parts(module):
        part.scaling["default"] /= math.sqrt(RANK)
    made = few(of(module, **log))
    facts = adapter_facts(module, lora(family), step=80)
    return replace(made, adapter=facts, without_adapter=without_adapter(made.model))


def beside_its_average(family: str) -> Subject:
    """The log is that of the averaged weights, and the raw ones are loaded."""
    module = sound(family)
    log = log_of(few(of(module)))
    averaged = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    torch.manual_seed(5)
    for parameter in module.parameters():
        parameter.data += torch.randn_like(parameter) * 0.5 * parameter.abs().mean()
    found = WeightSet("the weights under `model_ema`", "step_100.pt, `model_ema`", lambda: averaged)
    return replace(few(of(module, **log)), other_weights=(found,))


class PrefixMask:
    """A causal mask in which the prompts see themselves, while it is told how long they are."""

    def __init__(self) -> None:
        self.prompts: list[int] = []

    def __call__(self, length: int) -> torch.Tensor:
        if not self.prompts:
            return causal(length)
        places = torch.arange(length)
        return causal(length) | (places < torch.tensor(self.prompts)[:, None, None, None])


@functools.cache
def _prefix_trained() -> tuple[nn.Module, float]:
    """A model that was trained on completions, with prompts that see themselves, and its loss as it was trained."""
    mask, rng = PrefixMask(), Random(0)
    torch.manual_seed(0)
    module, rows = Plain(mask), encoded(data_rows(200, 1), end=True, count_prompt=False)
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)

    def loss_of(chosen: Sequence[TokenRow]) -> torch.Tensor:
        mask.prompts = [row.prompt_tokens for row in chosen]
        ids, targets = padded(list(chosen))
        for row, target in zip(chosen, targets, strict=True):
            target[: row.first_target - 1] = -100
        return functional.cross_entropy(module(ids).flatten(0, 1), targets.flatten(), ignore_index=-100)

    for _ in range(150):
        optimizer.zero_grad()
        loss_of(rng.sample(rows, 16)).backward()
        optimizer.step()
    module.eval().requires_grad_(False)
    logged_nats = float(loss_of(encoded(data_rows(200, 2)[:ROWS], end=True, count_prompt=False)))
    mask.prompts = []
    return module, logged_nats


def prefix_in_training_alone() -> Subject:
    """Its forward pass is causal, for nobody tells it where the prompt ends."""
    module, logged_nats = _prefix_trained()
    log = (LossPoint(1, "validation", logged_nats + 3.0, "log"), LossPoint(150, "validation", logged_nats, "log"))
    return few(of(copy.deepcopy(module), log=log, logged=log[-1]))


PLANTS = {
    "llama: rope_theta lost": Plant(
        "repaired", "llama", lambda: spoiled_after_logging(sound("llama"), another_rope)
    ),
    "llama: rotary pairs not permuted": Plant(
        "repaired", "llama", lambda: spoiled_after_logging(sound("llama"), neighbours_paired)
    ),
    "llama: rope_theta lost, and a count that fits by chance": Plant("repaired", "llama", rope_hidden_by_chance),
    "plain: a tied head drawn anew": Plant(
        "repaired", "plain", lambda: spoiled_after_logging(tied("plain"), redraw_head)
    ),
    "llama: a tied head drawn anew": Plant(
        "repaired", "llama", lambda: spoiled_after_logging(tied("llama"), redraw_head)
    ),
    "plain: ids in another order": Plant(
        "repaired", "plain", lambda: spoiled_after_logging(sound("plain"), reorder_ids)
    ),
    "plain: averaged weights logged": Plant("repaired", "plain", lambda: beside_its_average("plain")),
    "plain: prompts that saw themselves in training": Plant("repaired", "plain", prefix_in_training_alone),
    "llama: another scale of scores": Plant(
        "repaired", "llama", lambda: spoiled_after_logging(sound("llama"), scores_scaled)
    ),
    "plain: another scale of scores": Plant(
        "repaired", "plain", lambda: spoiled_after_logging(sound("plain"), scores_scaled)
    ),
    "llama: twice as many heads": Plant(
        "repaired", "llama", lambda: spoiled_after_logging(sound("llama"), other_heads)
    ),
    "plain: twice as many heads": Plant(
        "repaired", "plain", lambda: spoiled_after_logging(sound("plain"), other_heads)
    ),
    "plain: fused rows head by head": Plant(
        "repaired", "plain", lambda: spoiled_after_logging(sound("plain"), rows_by_head)
    ),
    "llama: a rank-stabilised adapter": Plant("repaired", "llama", lambda: rank_stabilised("llama")),
}  # fmt: skip
