"""Stands in for a tokenizer if none is given: no text has ids, and ids are shown as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class NoTokenizer:
    """Satisfies :class:`evalharness.models.protocols.Tokenizer`."""

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size

    def encode(self, text: str) -> list[int]:
        """Raise ``ValueError``: no text can be encoded."""
        raise ValueError(f"no tokenizer for {text[:20]!r}")

    def decode(self, ids: Sequence[int]) -> str:
        """Return the ids as ``<1><2>``."""
        return "".join(f"<{i}>" for i in ids)
