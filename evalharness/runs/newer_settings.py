"""Settings that a record lacks because they are newer than it: it was made under their defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.records import PROTOCOL_FIELDS
from evalharness.runs.json_values import plain
from evalharness.settings.declaration import settings_of
from evalharness.settings.score import ScoreOptions

if TYPE_CHECKING:
    from evalharness.records import Protocol


def default_of(name: str) -> Any:
    """The default of a setting of ``score``, as a value that JSON has."""
    return plain(settings_of(ScoreOptions)[name].default)


def value_under(protocol: Protocol, name: str) -> Any:
    """The value of a setting under which a scorecard was made."""
    is_newer = name not in PROTOCOL_FIELDS and name not in protocol.settings
    return default_of(name) if is_newer else protocol.value(name)
