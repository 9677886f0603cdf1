"""Sound models that are loaded in another way than they were trained: each has the log of its training."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable
from dataclasses import replace

import peft
import torch
from plant import Plant
from plants_adapter import RANK, lora, lora_parts
from small_sound import of, sound, trained
from small_training import Plain, data_rows, encoded, train
from torch import nn
from whole import log_of

from evalharness.diagnosis.subject import Subject
from evalharness.models.protocols import WeightSet
from evalharness.models.torch.adapted import adapter_facts, without_adapter

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


PLANTS = {
    "llama: rope_theta lost": Plant(
        "repaired", "llama", lambda: spoiled_after_logging(sound("llama"), another_rope)
    ),
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
    "llama: a rank-stabilised adapter": Plant("repaired", "llama", lambda: rank_stabilised("llama")),
}  # fmt: skip
