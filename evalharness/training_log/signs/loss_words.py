"""How the signs write a loss: with four decimals, and one that these would make 0 with its power of ten."""

from __future__ import annotations

SMALL_NATS = 0.001


def shown(nats: float, sign: str = "") -> str:
    """Return ``"1.2539"``, ``"4.9e-07"``; with ``sign`` ``"+"`` a difference: ``"+0.0130"``."""
    return format(nats, f"{sign}.1e" if 0 < abs(nats) < SMALL_NATS else f"{sign}.4f")
