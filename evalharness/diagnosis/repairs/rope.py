"""Rotary positions with another base or scaling than the configuration says (Su et al. 2021)."""

from __future__ import annotations

import copy
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.kept_values import kept_values
from evalharness.diagnosis.trials.rotary_tables import rotary_tables, with_base
from evalharness.diagnosis.trials.swapping import swapped_attributes, swapped_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from evalharness.diagnosis.subject import Subject

BASES = (
    1e3, 2e3, 5e3, 1e4, 2e4, 2.5e4, 4e4, 5e4, 1e5, 1.3e5, 1.5e5, 1.6e5, 2.5e5, 5e5, 1e6, 2e6, 5e6, 8e6, 1e7, 1e8,
)  # fmt: skip
"""Bases of released models: Llama 10,000, SmolLM2 100,000 and 130,000, gpt-oss 150,000, Llama 3 500,000, Qwen2 and
Mixtral 1,000,000, Yi 5,000,000, Qwen2.5-1M 10,000,000; and those between and below, which training at home uses."""
SCALINGS: tuple[dict[str, Any], ...] = (
    {"rope_type": "default"},
    *({"rope_type": "linear", "factor": factor} for factor in (2.0, 4.0, 8.0, 16.0)),
    *(
        {
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        }
        for factor in (8.0, 32.0)
    ),
)
"""Scalings of released models: linear by 2 to 16, and those of Llama 3.1 and 3.2."""
SHARES = (0.25, 0.4, 0.5, 0.75, 1.0)
"""Shares of a head that released models turn: GPT-NeoX and StableLM 0.25, Phi-2 0.4, GLM and MiniMax-M2 0.5, Phi-4-mini
0.75, Llama all of it."""
WIDTHS = ("rotary_ndims", "rotary_dim", "rope_dim")
"""What attentions call how many channels they turn."""
NAMES = ("rope_theta", "theta", "base", "rope_base", "rotary_base", "rotary_emb_base", "rope_freq_base")
CONFIG = "config.json"
LEAST_BASE = 100.0
"""A number by one of these names is no base of rotary positions below this."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Bases and scalings for modules of transformers; bases for tables and attributes of one's own code."""
    module = subject.torch_model.module
    parts = _configured_parts(module)
    if parts:
        yield from _of_configuration(parts)
        return
    tables = rotary_tables(module)
    for base in BASES:
        if tables and abs(base / tables[0].base - 1) > 0.001:
            tensors = {table.path: with_base(table, base) for table in tables}
            change = partial(swapped_tensors, tensors=tensors)
            yield _of_base(base, tables[0].path, change, present={"rope_theta": tables[0].base})
    attributes = _attributes(module)
    for base in BASES:
        if attributes and base != next(iter(attributes.values())):
            change = partial(swapped_attributes, values=dict.fromkeys(attributes, base))
            yield _of_base(base, next(iter(attributes)), change, present=dict([next(iter(attributes.items()))]))


def _of_base(base: float, place: str, change: Any, **more: Any) -> Repair:
    return Repair(
        kind="rope_theta",
        words=f"`rope_theta` = {base:,.0f}",
        place=place,
        change=change,
        sharp=True,
        **{
            "remedy": f"Set the base of the rotary positions to {base:,.0f}: `{place}` has another.",
            "settings": {"rope_theta": base},
            **more,
        },
    )


def _configured_parts(module: nn.Module) -> dict[str, nn.Module]:
    """Modules that make their frequencies from a configuration with one set of rotary parameters."""
    return {
        name: part
        for name, part in module.named_modules()
        if hasattr(part, "inv_freq") and isinstance(_parameters(getattr(part, "config", None)).get("rope_theta"), float)
    }


def _parameters(config: Any) -> dict[str, Any]:
    """``rope_theta`` and the scaling of a configuration, whichever version of transformers wrote it."""
    parameters = getattr(config, "rope_parameters", None)
    if isinstance(parameters, dict):
        return parameters
    theta = getattr(config, "rope_theta", None)
    scaling = getattr(config, "rope_scaling", None) or {"rope_type": "default"}
    return {} if theta is None else {"rope_theta": float(theta), **scaling}


def _of_configuration(parts: dict[str, nn.Module]) -> Iterator[Repair]:
    own = _parameters(next(iter(parts.values())).config)
    for base in BASES:
        if base != own["rope_theta"]:
            yield _configured(parts, {**own, "rope_theta": base})
    yield from _scaled(parts, own)
    yield from _of_another_share(parts, own)


def _scaled(parts: dict[str, nn.Module], own: dict[str, Any]) -> Iterator[Repair]:
    for scaling in SCALINGS:
        wanted = {**scaling, "rope_theta": own["rope_theta"]}
        if any(own.get(key) != value for key, value in wanted.items()):
            yield _configured(parts, wanted)


def _of_another_share(parts: dict[str, nn.Module], own: dict[str, Any]) -> Iterator[Repair]:
    """Another share of each head turned."""
    for share in SHARES:
        if share != own.get("partial_rotary_factor", 1.0):
            yield Repair(
                kind="rope_share",
                words=f"`partial_rotary_factor` = {share:g}",
                place="config.json, `partial_rotary_factor`",
                remedy=(
                    f"Set `partial_rotary_factor` to {share:g} in config.json, as in training: positions turn "
                    f"{own.get('partial_rotary_factor', 1.0):.0%} of each head here."
                ),
                change=partial(_turned, parts=tuple(parts), wanted={**own, "partial_rotary_factor": share}),
                settings={"rope_parameters.partial_rotary_factor": share},
                present={"rope_parameters.partial_rotary_factor": own.get("partial_rotary_factor", 1.0)},
                file=CONFIG,
                sharp=True,
            )


def _turned(module: nn.Module, parts: tuple[str, ...], wanted: dict[str, Any]) -> Any:
    """Attentions turn as many channels as the rotary modules have angles for.

    Raises :class:`LookupError` if the model's code reads no share from its configuration.
    """
    made: dict[str, Any] = {path: _made(module.get_submodule(path), wanted) for path in parts}
    present: Any = module.get_submodule(parts[0])
    width, own = (2 * len(part.inv_freq) for part in (made[parts[0]], present))
    if width == own:
        raise LookupError(parts[0])
    kept = kept_values(module, WIDTHS, int)
    return swapped_attributes(module, made | {path: width for path, value in kept.items() if value == own})


def _configured(parts: dict[str, nn.Module], wanted: dict[str, Any]) -> Repair:
    own = _parameters(next(iter(parts.values())).config)
    change = partial(_rebuilt, parts=tuple(parts), wanted=wanted)
    settings = {f"rope_parameters.{key}": value for key, value in wanted.items()}
    more: dict[str, Any] = {"settings": settings, "file": CONFIG}
    more |= {"present": {f"rope_parameters.{key}": own.get(key) for key in wanted}}
    same_scaling = all(own.get(key) == value for key, value in wanted.items() if key != "rope_theta")
    if same_scaling:
        place = "config.json, `rope_theta`"
        remedy = f"Set `rope_theta` to {wanted['rope_theta']:,.0f} in config.json, which has {own['rope_theta']:,.0f}."
        further = partial(_scaled, parts, wanted)
        return _of_base(wanted["rope_theta"], place, change, further=further, remedy=remedy, **more)
    with_base_too = f"`rope_theta` = {wanted['rope_theta']:,.0f} and " * (wanted["rope_theta"] != own["rope_theta"])
    scaling = f"the scaling `{wanted['rope_type']}`" + f" by {wanted['factor']:g}" * ("factor" in wanted)
    return Repair(
        kind="rope_scaling",
        words=with_base_too + scaling,
        place="config.json, `rope_parameters`",
        remedy=f"In config.json set `rope_parameters` to {json.dumps(wanted)}, as in training.",
        change=change,
        sharp=True,
        **more,
    )


def _rebuilt(module: nn.Module, parts: tuple[str, ...], wanted: dict[str, Any]) -> Any:
    """The rotary modules made anew."""
    return swapped_attributes(module, {path: _made(module.get_submodule(path), wanted) for path in parts})


def _made(part: Any, wanted: dict[str, Any]) -> Any:
    """A rotary module from a copy of its configuration with other parameters."""
    config = copy.deepcopy(part.config)
    if isinstance(getattr(config, "rope_parameters", None), dict):
        config.rope_parameters = dict(wanted)
    else:
        config.rope_theta = wanted["rope_theta"]
        config.rope_scaling = None if wanted["rope_type"] == "default" else dict(wanted)
    return type(part)(config=config).to(part.inv_freq.device).eval()


def _attributes(module: nn.Module) -> dict[str, float]:
    """Numbers by the names of a base, of modules and of their configurations, which a forward pass may read."""
    kept = kept_values(module, NAMES, int, float)
    return {path: float(value) for path, value in kept.items() if value >= LEAST_BASE}
