"""How long something may take, as people write it: ``90s``, ``5m``, ``1h``."""

from __future__ import annotations

from typing import NewType

Duration = NewType("Duration", str)
PATTERN = r"^[1-9]\d*(\.\d+)?[smh]$"
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def seconds_of(duration: Duration) -> float:
    """``5m`` is 300 seconds."""
    return float(duration[:-1]) * _SECONDS[duration[-1]]
