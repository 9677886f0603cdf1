"""Words and signs: the elements in which texts are compared with each other, whatever the tokenizer."""

from __future__ import annotations

import re

LEXEME = re.compile(r"\w+|[^\w\s]")
"""A word or a sign."""

ELEMENT = re.compile(r"\n|[^\S\n]+|\w+|[^\w\s]")
"""A line end, a run of blanks, a word or a sign: joined, the elements of a text are the text again."""


def lexemes(text: str) -> list[str]:
    """Return the words and signs of ``text`` in their order, without whitespace."""
    return LEXEME.findall(text)


def windows(elements: list[str], size: int) -> list[tuple[str, ...]]:
    """Return every stretch of ``size`` elements; a shorter list is one stretch, an empty one has none."""
    if not elements:
        return []
    return [tuple(elements[at : at + size]) for at in range(max(1, len(elements) - size + 1))]
