"""The JSON schema of ``evalharness.toml``, with which editors complete and check it; made from the settings' types.

A copy lies in the package as ``evalharness.schema.json``.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from typing import Any

from evalharness.settings.environment import types_of
from evalharness.settings.manifest import RANGES, SECTIONS

SCALARS: dict[str, dict[str, Any]] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "Path": {"type": "string"},
    "str | int": {"type": ["string", "integer"]},
    "dict[str, Any]": {"type": "object"},
}


def schema() -> dict[str, Any]:
    """The schema of a whole file."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "evalharness.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _section(name, settings) for name, settings in SECTIONS.items()},
    }


def _section(section: str, settings: type) -> dict[str, Any]:
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(settings) or "").replace("``", "").split()),
        "additionalProperties": False,
        "properties": {
            name: _value(kind, RANGES.get((section, name)), _default(settings, name))
            for name, kind in types_of(settings).items()
        },
    }


def _value(kind: str, bounds: tuple[float, float] | None, default: Any) -> dict[str, Any]:
    """One value; a list may also be given as its only item."""
    low, high = bounds or (-math.inf, math.inf)
    limits = {"minimum": low} if math.isfinite(low) else {}
    limits |= {"maximum": high} if math.isfinite(high) else {}
    default = {} if default is None else {"default": default}
    if kind.startswith("tuple["):
        item = SCALARS[kind.removeprefix("tuple[").removesuffix(", ...]")] | limits
        return {"anyOf": [item, {"type": "array", "items": item}], **default}
    if kind.startswith("Literal["):
        return {"enum": [word.strip(" '\"") for word in kind[len("Literal[") : -1].split(",")], **default}
    return {**SCALARS[kind], **limits, **default}


def _default(settings: type, name: str) -> Any:
    item = next(item for item in dataclasses.fields(settings) if item.name == name)
    return item.default if isinstance(item.default, (str, int, float)) else None
