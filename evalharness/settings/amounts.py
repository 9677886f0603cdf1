"""Times and sizes as people write them: ``90s``, ``5m``, ``1h``; ``500MB``, ``4GB``."""

from __future__ import annotations

from typing import NewType

Duration = NewType("Duration", str)
Size = NewType("Size", str)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_BYTES = {"MB": 10**6, "GB": 10**9}
PATTERNS = {Duration: r"^[1-9]\d*(\.\d+)?[smh]$", Size: r"^[1-9]\d*(\.\d+)?[MG]B$"}
"""What each looks like, as JSON schemas have it."""


def seconds_of(duration: Duration) -> float:
    """``5m`` is 300 seconds."""
    return float(duration[:-1]) * _SECONDS[duration[-1]]


def bytes_of(size: Size) -> int:
    """``4GB`` is 4,000,000,000 bytes."""
    return int(float(size[:-2]) * _BYTES[size[-2:]])
