"""``scorecard.json``: a scorecard as JSON, read back, and the JSON schema of it."""

from __future__ import annotations

import functools
import json
import math
from typing import TYPE_CHECKING, Any

from evalharness.errors import StoreError
from evalharness.records import SCHEMA_VERSION, Scorecard
from evalharness.runs import paths
from evalharness.runs.json_values import plain
from evalharness.runs.old_scorecards import upgraded

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import TypeAdapter

UNKNOWN = {"estimate": math.nan, "low": -math.inf, "high": math.inf}
"""What null stands for in an interval."""


def to_json(scorecard: Scorecard) -> str:
    """The scorecard as JSON, the same bytes for the same scorecard. A number that is not finite becomes null."""
    return json.dumps(plain(scorecard), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str) -> Scorecard:
    """Read a scorecard back; an interval's end that is null becomes infinite again.

    A scorecard of an older version is brought up to date. Raises :class:`StoreError` if the text is broken, or of a
    version that is not known.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - takes longer to import than the rest together

    try:
        content = upgraded(json.loads(text))
        if (version := content["schema_version"]) != SCHEMA_VERSION:
            raise StoreError(
                f"the scorecard has schema_version {version}, this evalharness reads 4 and {SCHEMA_VERSION}"
            )
        return _adapter().validate_python(_with_infinities(content))
    except (ValidationError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise StoreError(f"not a scorecard: {str(error).splitlines()[0]}") from error


def read(folder: Path) -> Scorecard:
    """Read the scorecard in a scored checkpoint's folder.

    Raises :class:`StoreError`, one line with the file's path, if it is missing, broken or of another version.
    """
    file = folder / paths.SCORECARD
    try:
        return from_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(f"{file}: can't be read: {error.strerror}") from error
    except StoreError as error:
        raise StoreError(f"{file}: {error}; score it again") from error


def schema() -> dict[str, Any]:
    """The JSON schema of ``scorecard.json``; a copy lies beside this module."""
    content = _adapter().json_schema()
    for limit in content["$defs"]["Interval"]["properties"].values():
        limit["type"] = ["number", "null"]
    return content


@functools.cache
def _adapter() -> TypeAdapter[Scorecard]:
    """Made once: it takes ten times as long as reading a scorecard with it."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - as above

    return TypeAdapter(Scorecard)


def _with_infinities(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_infinities(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == UNKNOWN.keys():
        return {name: UNKNOWN[name] if number is None else number for name, number in value.items()}
    return {name: _with_infinities(item) for name, item in value.items()}
