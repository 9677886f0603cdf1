"""The settings in what a training loop saved beside the weights: numbers, texts, and lists and tables of them."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

_PLAIN = (int, float, str, bool, type(None))
_LONGEST = 64


def plain_values(values: Any) -> dict[str, Any]:
    """The plain values in a mapping and in the mappings within it, by name; the outer ones win.

    What argparse gives, and a dataclass, count as mappings.

    >>> plain_values({"step": 3, "config": {"width": 8}})
    {'width': 8, 'step': 3}
    """
    values = _as_mapping(values)
    if not isinstance(values, Mapping):
        return {}
    inner = {name: value for part in values.values() for name, value in plain_values(part).items()}
    return inner | {str(name): value for name, value in values.items() if _is_plain(value)}


def plain_tables(values: Any) -> dict[str, dict[str, Any]]:
    """The mappings directly in a mapping that hold nothing but plain values, such as ``config``."""
    if not isinstance(values, Mapping):
        return {}
    tables = {str(name): dict(part) for name, part in values.items() if isinstance(part, Mapping) and part}
    return {name: table for name, table in tables.items() if all(map(_is_plain, table.values()))}


def _as_mapping(values: Any) -> Any:
    is_record = dataclasses.is_dataclass(values) and not isinstance(values, type)
    return (
        getattr(values, "__dict__", values) if is_record or isinstance(values, (Namespace, SimpleNamespace)) else values
    )


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) <= _LONGEST and all(isinstance(item, _PLAIN) for item in value)
    return isinstance(value, _PLAIN)
