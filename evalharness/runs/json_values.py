"""Records as values that JSON has, and rows as lines of JSONL."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Records as dicts, tuples as lists, and numbers that JSON lacks as None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def digest(value: Any) -> str:
    """The sha256, in hex, of a value as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def json_line(row: Mapping[str, Any], *, allow_nan: bool = False) -> str:
    """One line of JSONL. Lone surrogates are escaped, so that the line is valid UTF-8 whatever a model wrote.

    ``allow_nan`` is for rows of others, which keep what they hold: ``NaN`` and ``Infinity`` as Python writes them.
    """
    text = json.dumps(row, ensure_ascii=False, allow_nan=allow_nan)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(row, ensure_ascii=True, allow_nan=allow_nan)
    # These end a line for some readers of JSONL.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085") + "\n"
