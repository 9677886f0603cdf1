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
from itertools import pairwise
from keyword import iskeyword
from typing import TYPE_CHECKING

from evalharness.degeneration.python_language import PYTHON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.degeneration.language import Language

MIN_CHARACTERS = 150
"""As much as a loop needs (see ``loop_criteria``)."""

MIN_WORDS = 8
"""Fewer say nothing about the share."""

MAX_KNOWN = 0.42
"""Largest share of the letters in words that are known. Random ids of an 8,000-token vocabulary trained on code reach
it in one of a hundred texts; docstrings of reference code are above it in 999 of 1,000."""

MAX_KNOWN_TORN = 0.60
MIN_TORN = 0.40
"""The largest share of letters in known words, and the least share of lines that are torn: two words stand side by side
where no program has them (``summing up = 0``). Pseudocode has such lines as well, and at least 0.62 of its letters are
in known words."""

MIN_PROSE = 0.85
"""Share of the pieces between blanks that are whole words, from which on the text is prose: 1.0 in prose of any
language that is written in letters, at most 0.79 in random tokens (which run into each other)."""

MOST_WORDS = 0.50
"""Share of the pieces of a docstring that are whole words, at least; examples and signs are the rest."""

MOST = 0.50
"""Share of the text that has to parse: a cut may tear the statement that it falls in, however long that is."""

MIN_SIGNS = 16
MAX_LETTERS = 0.10
"""A text of at least this number of characters that are no white space, of which at most this share are letters or
digits, is a salad of signs: code names what it works on, and its words alone are a third of it."""

MIN_TOKENS = 48
MIN_ENTROPY_NATS = 3.5
"""Mean entropy of a model's predictions from which on the model chose each token from 33 equally likely ones. Models
that write code are below 1.5; one that only knows how often each token comes is above 4.5. Frequent tokens in random
order look like code to each rule by text that was tried: the mean surprise of one word or sign after another is 2.0 to
4.0 nats in them, and up to 5.1 in functions of reference code."""

# thisNameHTTP2 -> this, Name, HTTP. One letter says nothing, and of other alphabets no words are known.
_WORD = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}(?![a-z])")
_PIECE = re.compile(r"[\"'(]*([^\W\d_]+(?:['’-][^\W\d_]+)?)[.,;:!?\"')]*")


_OPERAND = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\w+|[^\w\s]")
_STATEMENTS = frozenset({"print", "exec", "match", "case", "type"})
"""What a statement of some version of Python begins with, and is no keyword."""


@dataclass(frozen=True, slots=True)
class Gibberish:
    """``known`` is the share of the letters in words that are in words one knows."""

    known: float


def find_gibberish(text: str, prompt: str | None = None, language: Language = PYTHON) -> Gibberish | None:
    """Return what makes ``text`` gibberish, or None. The words of ``prompt`` are known as well."""
    if len(text) < MIN_CHARACTERS:
        return None
    words = words_of(text)
    pieces = text.split()
    if len(words) < MIN_WORDS or sum(map(_is_word, pieces)) >= MIN_PROSE * len(pieces):
        return None
    common, of_prompt = known_words(), frozenset(words_of(prompt or ""))
    known = sum(len(word) for word in words if word in common or word in of_prompt) / sum(map(len, words))
    few = known <= MAX_KNOWN or (known <= MAX_KNOWN_TORN and _is_torn(_outside_of_open_string(text, language)))
    return Gibberish(known) if few and not _parses(text, prompt or "", language) else None


def _outside_of_open_string(text: str, language: Language) -> str:
    """The code before a docstring that was cut, if that is mostly words; else all of the text."""
    code = language.code_until(text)
    pieces = text[code:].split()
    return text[:code] if code and sum(map(_is_word, pieces)) >= MOST_WORDS * len(pieces) else text


def _is_torn(text: str) -> bool:
    """Whether in many lines two words, or a word and a string, stand side by side. Comments say what they like."""
    lines = [line for line in text.splitlines() if _uncommented(line).strip()]
    return sum(map(_has_neighbours, lines)) >= max(1, MIN_TORN * len(lines))


def _has_neighbours(line: str) -> bool:
    elements = [match[0] for match in _OPERAND.finditer(_uncommented(line))]
    return any(
        _names(earlier) and earlier not in _STATEMENTS and (_names(later) or later[0] in "\"'")
        for earlier, later in pairwise(elements)
    )


def _uncommented(line: str) -> str:
    return line.split("#", maxsplit=1)[0]


def _names(element: str) -> bool:
    return (element[0].isalnum() or element[0] == "_") and not iskeyword(element)


def is_sign_salad(text: str, prompt: str | None = None, language: Language = PYTHON) -> bool:
    """Whether ``text`` consists of signs in no order, with hardly a word among them. A picture in a string parses."""
    written = [character for character in text if not character.isspace()]
    letters = sum(character.isalnum() for character in written)
    few = len(written) >= MIN_SIGNS and letters <= MAX_LETTERS * len(written)
    return few and not _parses(text, prompt or "", language)


def is_guessed(
    text: str,
    token_entropy_nats: Sequence[float] | None,
    prompt: str | None = None,
    language: Language = PYTHON,
) -> bool:
    """Whether the model did not know what to write, by the entropies of its predictions, and wrote no program."""
    if token_entropy_nats is None or len(token_entropy_nats) < MIN_TOKENS:
        return False
    is_unsure = sum(token_entropy_nats) >= MIN_ENTROPY_NATS * len(token_entropy_nats)
    return is_unsure and not _parses(text, prompt or "", language)


def _parses(text: str, prompt: str, language: Language) -> bool:
    """Whether most of ``text`` parses, by itself or after its prompt; the first line of anything may."""
    needed = MOST * len(text)
    return language.code_until(text) >= needed or language.code_until(prompt + text) >= len(prompt) + needed


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
