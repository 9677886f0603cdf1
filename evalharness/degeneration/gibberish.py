"""Gibberish: text without structure, which is how a model collapses the other way.

It does not parse, and most of what looks like words is none. Which words there are is read from ``words.txt``: the
commonest parts of names, comments and docstrings in code (``benchmarks/words.py`` makes it). A text of unusual words
that parses is code, and prose in another language is prose: its pieces between blanks are words, not pieces of words
that run into each other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from evalharness.degeneration.content import code_until

MIN_CHARACTERS = 150
"""As much as a loop needs (see ``significance``)."""

MIN_WORDS = 8
"""Fewer say nothing about the share."""

MAX_KNOWN = 0.42
"""Largest share of the letters in words that are known. Random ids of an 8,000-token vocabulary trained on code reach
it in one of a hundred texts; docstrings of reference code are above it in 999 of 1,000."""

MIN_PROSE = 0.85
"""Share of the pieces between blanks that are whole words, from which on the text is prose: 1.0 in prose of any
language that is written in letters, at most 0.79 in random tokens (which run into each other)."""

MOST = 0.50
"""Share of the text that has to parse: a cut may tear the statement that it falls in, however long that is."""

# thisNameHTTP2 -> this, Name, HTTP. One letter says nothing, and of other alphabets no words are known.
_WORD = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}(?![a-z])")
_PIECE = re.compile(r"[\"'(]*([^\W\d_]+(?:['’-][^\W\d_]+)?)[.,;:!?\"')]*")


@dataclass(frozen=True, slots=True)
class Gibberish:
    """``known`` is the share of the letters in words that are in words one knows."""

    known: float


def find_gibberish(text: str, prompt: str | None = None) -> Gibberish | None:
    """Return what makes ``text`` gibberish, or None. The words of ``prompt`` are known as well."""
    if len(text) < MIN_CHARACTERS:
        return None
    words = words_of(text)
    pieces = text.split()
    if len(words) < MIN_WORDS or sum(map(_is_word, pieces)) >= MIN_PROSE * len(pieces):
        return None
    common, of_prompt = known_words(), frozenset(words_of(prompt or ""))
    known = sum(len(word) for word in words if word in common or word in of_prompt) / sum(map(len, words))
    return None if known > MAX_KNOWN or _parses(text, prompt or "") else Gibberish(known)


def _parses(text: str, prompt: str) -> bool:
    """Whether most of ``text`` parses, by itself or after its prompt; the first line of anything may."""
    most = MOST * len(text)
    return code_until(text) >= most or code_until(prompt + text) >= len(prompt) + most


@cache
def known_words() -> frozenset[str]:
    """The words of ``words.txt``, in lower case."""
    return frozenset((files("evalharness.degeneration") / "words.txt").read_text(encoding="utf-8").split())


def words_of(text: str) -> list[str]:
    """Return the words and parts of names in ``text``, in lower case: ``thisNameHTTP2`` has three."""
    return [word.lower() for word in _WORD.findall(text)]


def _is_word(piece: str) -> bool:
    """Whether ``piece`` is a word of a text, with the signs that stand beside words."""
    word = _PIECE.fullmatch(piece)
    return word is not None and (word[1].islower() or word[1].istitle() or word[1].isupper())
