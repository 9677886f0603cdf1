"""A model with its adapter switched off, and what is known of the adapter's tensors: what a diagnosis asks of it."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

import torch
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper, get_pattern_key

from evalharness.models.protocols import AdaptedWeight, AdapterFacts, tail_logits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor, nn

    from evalharness.models.protocols import TorchModel


class WithoutAdapter:
    """The same model with every adapter switched off for the time of each call.

    Satisfies :class:`evalharness.models.protocols.TorchModel`. The module is shared with the model, and is
    unchanged afterwards.
    """

    def __init__(self, model: TorchModel) -> None:
        self._model = model
        self.module = model.module
        self.capabilities = model.capabilities
        self.context_length = model.context_length
        self.vocabulary_rows = model.vocabulary_rows
        self.supports_cache = model.supports_cache
        self.device = model.device

    def logits(self, ids: Tensor) -> Tensor:
        """Return the base's logits for every position of ``ids``."""
        with _switched_off(self.module):
            return self._model.logits(ids)

    def tail_logits(self, ids: Tensor, count: int) -> Tensor:
        """Return the base's logits at the last ``count`` positions of ``ids``."""
        with _switched_off(self.module):
            return tail_logits(self._model, ids, count)

    def score(self, rows: Sequence[Sequence[int]]) -> list[list[float]]:
        """Return the base's log-probabilities of all ids of each row but the first."""
        with _switched_off(self.module):
            return self._model.score(rows)

    def cached_logits(
        self, ids: Tensor, attention_mask: Tensor, position_ids: Tensor, cache: Any
    ) -> tuple[Tensor, Any]:
        """Return the base's logits of the new ids, and the longer cache."""
        with _switched_off(self.module):
            return self._model.cached_logits(ids, attention_mask, position_ids, cache)


def without_adapter(model: TorchModel) -> WithoutAdapter | None:
    """Return the model with its adapter switched off; None where it has none."""
    return WithoutAdapter(model) if _adapted_parts(model.module) else None


def adapter_facts(
    module: nn.Module,
    config: Any,
    *,
    step: int | None = None,
    original: Mapping[str, Tensor] | None = None,
    unmatched: tuple[str, ...] = (),
) -> AdapterFacts:
    """Return what is known of the LoRA layers of a module that PEFT has adapted.

    ``config`` is the adapter's own, as it was saved; ``original`` holds the weights that it was trained over, under
    the names that they have in the base (``layers.0.qkv.weight``), where they are known.
    """
    weights = [
        _adapted_weight(name.removeprefix("base_model.model."), part, adapter, config, original or {})
        for name, part in module.named_modules()
        if isinstance(part, LoraLayer)
        for adapter in part.lora_A
    ]
    return AdapterFacts(tuple(weights), unmatched, step)


def merged_facts(
    merged: Mapping[str, Tensor],
    original: Mapping[str, Tensor],
    adapter: Mapping[str, Tensor],
    config: Any,
    *,
    step: int | None = None,
) -> AdapterFacts:
    """Return the same of a file that an adapter is said to be merged into.

    ``merged`` and ``original`` are the weights after and before, ``adapter`` is the adapter's file without PEFT's
    prefix. What is in ``adapter`` and has no weight in ``merged`` is unmatched.
    """
    weights, unmatched = [], []
    for key, a in adapter.items():
        if not key.endswith(".lora_A.weight"):
            continue
        name = key.removesuffix(".lora_A.weight")
        b, whole = adapter.get(f"{name}.lora_B.weight"), merged.get(f"{name}.weight")
        if b is None or whole is None or whole.dim() != 2:
            unmatched.append(key)
            continue
        scale = configured_scale(config, name)
        before = original.get(f"{name}.weight")
        weights.append(
            AdaptedWeight(
                name=name,
                scale=None,
                configured_scale=scale,
                change=_product(a, b, scale or 1.0, transposed=bool(getattr(config, "fan_in_fan_out", False))),
                effective=_given(whole),
                original=None if before is None else _given(before),
            )
        )
    return AdapterFacts(tuple(weights), tuple(unmatched), step)


def configured_scale(config: Any, name: str) -> float | None:
    """Return ``lora_alpha / r`` for a module, or ``lora_alpha / sqrt(r)`` where ``use_rslora`` is set.

    Hu et al. 2021, section 4.1, and Kalajdzievski 2023. None for a configuration without these.
    """
    rank, alpha = getattr(config, "r", None), getattr(config, "lora_alpha", None)
    if not rank or alpha is None:
        return None
    ranks, alphas = getattr(config, "rank_pattern", None) or {}, getattr(config, "alpha_pattern", None) or {}
    rank = ranks.get(get_pattern_key(ranks.keys(), name), rank)
    alpha = alphas.get(get_pattern_key(alphas.keys(), name), alpha)
    return float(alpha / math.sqrt(rank) if getattr(config, "use_rslora", False) else alpha / rank)


def _adapted_weight(
    name: str, part: LoraLayer, adapter: str, config: Any, original: Mapping[str, Tensor]
) -> AdaptedWeight:
    scale = float(part.scaling[adapter])
    configured = configured_scale(config, name)
    before = original.get(f"{name}.weight")

    def change() -> Tensor:
        # PEFT's product has the scale that it is applied with; wanted is the one that it was trained with.
        ratio = 1.0 if configured is None or scale == 0 else configured / scale
        delta: Tensor = part.get_delta_weight(adapter).detach() * ratio
        return delta

    def effective() -> Tensor:
        weight: Tensor = part.get_base_layer().weight.detach()
        if part.disable_adapters or part.merged or adapter not in part.active_adapters:
            return weight
        delta: Tensor = part.get_delta_weight(adapter).detach()
        return weight + delta

    return AdaptedWeight(name, scale, configured, change, effective, None if before is None else _given(before))


def _given(tensor: Tensor) -> Callable[[], Tensor]:
    return lambda: tensor


def _product(a: Tensor, b: Tensor, scale: float, *, transposed: bool) -> Callable[[], Tensor]:
    def product() -> Tensor:
        delta = (b.double() @ a.double()) * scale
        return delta.T if transposed else delta

    return product


def _adapted_parts(module: nn.Module) -> list[BaseTunerLayer | AuxiliaryTrainingWrapper]:
    return [part for part in module.modules() if isinstance(part, (BaseTunerLayer, AuxiliaryTrainingWrapper))]


@contextlib.contextmanager
def _switched_off(module: nn.Module) -> Iterator[None]:
    """Switch off what is on. PEFT sets the gradients of what it switches: they are put back."""
    on = [part for part in _adapted_parts(module) if not part.disable_adapters]
    gradients = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    merged = [part for part in on if isinstance(part, BaseTunerLayer) and part.merged]
    try:
        for part in on:
            part.enable_adapters(False)
        yield
    finally:
        for part in on:
            part.enable_adapters(True)
        with torch.no_grad():
            # A merged layer unmerges itself to be run without its adapter.
            for part in merged:
                if not part.merged:
                    part.merge()
        for parameter, wanted in gradients:
            parameter.requires_grad_(wanted)
