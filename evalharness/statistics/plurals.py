"""Counts with the things that they count, as sentences have them."""

from __future__ import annotations


def counted(count: int, thing: str, things: str | None = None) -> str:
    """Return ``"1 token"``, ``"1,200 tokens"``; give ``things`` if the plural needs more than an s."""
    return f"{count:,} {thing if count == 1 else things or f'{thing}s'}"
