"""The JSON schema of ``evalharness.toml``, with which editors complete and check it; made from the settings.

A copy lies beside this file: ``evalharness.schema.json``.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from evalharness.settings.declaration import Setting, settings_in
from evalharness.settings.manifest import PROBLEMS, SECTIONS, ProblemSettings
from evalharness.settings.values import adapter

if TYPE_CHECKING:
    from collections.abc import Mapping


def schema(sections: Mapping[str, type] = SECTIONS) -> dict[str, Any]:
    """The schema of a whole file."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "evalharness.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **{name: _section(owner) for name, owner in sections.items()},
            PROBLEMS: {"type": "object", "additionalProperties": _section(ProblemSettings)},
        },
    }


def _section(owner: type) -> dict[str, Any]:
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(owner) or "").replace("``", "").split()),
        "additionalProperties": False,
        "properties": {name: _value(setting) for name, setting in settings_in(owner, "manifest").items()},
    }


def _value(setting: Setting) -> dict[str, Any]:
    """One value; instead of a list its only item may be given."""
    value = adapter(setting).json_schema()
    if setting.is_list:
        value = {"anyOf": [value["items"], value]}
    default = setting.default if isinstance(setting.default, (str, int, float)) else None
    return {"description": setting.declared.help, **value, **({} if default is None else {"default": default})}
