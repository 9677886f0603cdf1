"""Adapters that are absent, zero, wrongly scaled or applied twice, over small models that are sound."""

from __future__ import annotations

import copy
import functools
from dataclasses import replace

import peft
import torch
from plant import Plant
from small_sound import of, sound
from small_training import FAMILIES, data_rows, encoded, train
from torch import nn

from evalharness.models.torch.adapted import adapter_facts, without_adapter

TARGETS = {"plain": ["qkv", "out_proj"], "llama": ["q_proj", "v_proj", "o_proj"]}
RANK, ALPHA = 4, 16


def lora(family: str, **more):
    return peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS[family], **more)


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
    return replace(made, adapter=facts, without_adapter=without_adapter(made.model))


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


FAULTS = {
    "an adapter of zeros": zero,
    "an adapter switched off": switch_off,
    "an adapter scaled by four": scale_by_four,
    "an adapter applied twice": merge_first,
}
PLANTS = {
    f"{family}: {name}": Plant("adapter", family, functools.partial(adapted, family, spoil=spoil))
    for family in FAMILIES
    for name, spoil in FAULTS.items()
}
