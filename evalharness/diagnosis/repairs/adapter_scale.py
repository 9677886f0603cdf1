"""An adapter with another scale than it is applied with: rank-stabilised or not, twice, half, α and r exchanged."""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.random_adapter import random_adapter
from evalharness.diagnosis.trials.swapping import swapped_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from torch import nn

    from evalharness.diagnosis.subject import Subject

TIMES = (0.125, 0.25, 0.5, 2.0, 4.0, 8.0)
"""α and r are powers of two as a rule: what one of them was lost for is some doublings away."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Only for LoRA layers: modules with a number or a table ``scaling`` and a matrix ``lora_A``."""
    module = subject.torch_model.module
    parts = {name: part for name, part in module.named_modules() if hasattr(part, "lora_A") and _scale(part)}
    rank = next((r for part in parts.values() if (r := _rank(part))), None)
    if not parts or rank is None:
        return
    own = _scale(next(iter(parts.values()))) or 1.0
    root = math.sqrt(rank)
    named = {
        root: ("the rank-stabilised scale α/√r (`use_rslora`)", {"use_rslora": True}),
        1 / root: ("the scale α/r instead of the rank-stabilised one (`use_rslora`)", {"use_rslora": False}),
    }
    named |= {times: (f"`lora_alpha` {times:g} times as large", {}) for times in TIMES if times not in named}
    for times, (words, settings) in named.items():
        repair = Repair(
            kind="adapter_scale",
            words=f"{words}: scale {own * times:.4g}",
            place="adapter_config.json, " + ("`use_rslora`" if settings else "`lora_alpha`"),
            remedy=f"Apply the adapter with the scale {own * times:.4g} that it was trained with; it has {own:.4g}.",
            change=partial(_scaled, parts=tuple(parts), times=times),
            settings=settings or {"lora_alpha": own * times * rank},
            present={key: not value for key, value in settings.items()} or {"lora_alpha": own * rank},
            file="adapter_config.json",
        )
        has_null = random_adapter(module, 0) is not None
        yield replace(repair, null=partial(_of_random_adapter, repair)) if has_null else repair


def _of_random_adapter(repair: Repair, seed: int) -> Repair:
    """The same scale for an adapter that learned nothing: if that does as well, it is the base that the log is of."""
    return replace(repair, change=partial(_drawn_and_scaled, scaled=repair.change, seed=seed))


@contextmanager
def _drawn_and_scaled(
    module: nn.Module, scaled: Callable[[nn.Module], AbstractContextManager[None]], seed: int
) -> Iterator[None]:
    with random_adapter(module, seed) or nullcontext(), scaled(module):
        yield


def _scale(part: Any) -> float | None:
    """The scale of the first adapter of a layer; a table of PEFT or a number of one's own code."""
    scaling = getattr(part, "scaling", None)
    value = next(iter(scaling.values()), None) if isinstance(scaling, dict) else scaling
    return float(value) if isinstance(value, (int, float)) else None


def _rank(part: Any) -> int | None:
    """The smaller side of the matrix A."""
    matrix = part.lora_A
    tensors = [matrix] if not hasattr(matrix, "parameters") else list(matrix.parameters())
    return min(tensors[0].shape) if tensors and tensors[0].dim() == 2 else None


@contextmanager
def _scaled(module: nn.Module, parts: tuple[str, ...], times: float) -> Iterator[None]:
    values: dict[str, Any] = {}
    for path in parts:
        scaling: Any = module.get_submodule(path).scaling
        new = {name: value * times for name, value in scaling.items()} if isinstance(scaling, dict) else scaling * times
        values[f"{path}.scaling"] = new
    with ExitStack() as stack:
        stack.enter_context(swapped_attributes(module, values))
        yield
