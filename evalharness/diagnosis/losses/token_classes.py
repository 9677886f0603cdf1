"""What kind of thing each token of a row of code is: layout, punctuation, keyword, name, literal, comment, end.

Read by a lexer of its own, which goes on where code is broken off or wrong, as what a model trains on and writes is.
"""

from __future__ import annotations

import keyword
import re
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.models.protocols import Tokenizer


class TokenClass(StrEnum):
    """What a token is, by what of it comes first that is not white space."""

    NEWLINE = "newline"
    INDENTATION = "indentation"
    BLANK = "blank"
    OPERATOR = "punctuation"
    KEYWORD = "keyword"
    NAME = "name"
    LITERAL = "literal"
    COMMENT = "comment"
    END = "end"


FORMATTING = frozenset({TokenClass.NEWLINE, TokenClass.INDENTATION, TokenClass.BLANK})
CONTENT = frozenset({TokenClass.KEYWORD, TokenClass.NAME, TokenClass.LITERAL, TokenClass.COMMENT})

_LEXEMES = re.compile(
    r"""
    (?P<newline>\r\n|[\n\r\f])
  | (?P<blank>[^\S\n\r\f]+|\\(?=[\r\n]))
  | (?P<comment>\#[^\n\r]*)
  | (?P<long>[rbfuRBFU]{0,2}(?P<quotes>\"{3}|'{3})(?:\\.|(?!(?P=quotes)).)*(?:(?P=quotes))?)
  | (?P<string>[rbfuRBFU]{0,2}(?P<quote>["'])(?:\\.|(?!(?P=quote))[^\\\n\r])*(?:(?P=quote))?)
  | (?P<number>(?:\d[\w]*\.?\w*|\.\d\w*)(?:(?<=[eE])[+-]\d+)?)
  | (?P<name>[^\W\d]\w*)
  | (?P<operator>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_SIMPLE = {
    "newline": TokenClass.NEWLINE,
    "comment": TokenClass.COMMENT,
    "string": TokenClass.LITERAL,
    "number": TokenClass.LITERAL,
    "operator": TokenClass.OPERATOR,
}

_BLOCKS = ("def", "class", "import", "from", "return")
"""Keywords that begin no line within brackets: where one does, a bracket was left open."""


def character_classes(text: str) -> list[TokenClass]:
    """The class of each character of ``text``.

    Strings in three quotes that stand where a statement begins are docstrings, and count as comments. What is open at
    the end (a string, a bracket) ends there; a string in single quotes ends with its line.
    """
    classes: list[TokenClass] = []
    depth, line_begins = 0, True
    for match in _LEXEMES.finditer(text):
        kind, lexeme = match.lastgroup or "operator", match.group()
        kind = next(name for name in ("long", "string", kind) if match.groupdict().get(name) is not None)
        if line_begins and lexeme in _BLOCKS:
            depth = 0
        classes += [_class(kind, lexeme, depth=depth, line_begins=line_begins)] * len(lexeme)
        depth = max(0, depth + (lexeme in "([{") - (lexeme in ")]}")) if kind == "operator" else depth
        line_begins = kind == "newline" or (line_begins and kind == "blank")
    return classes


def _class(kind: str, lexeme: str, *, depth: int, line_begins: bool) -> TokenClass:
    if kind == "blank":
        return TokenClass.INDENTATION if line_begins else TokenClass.BLANK
    if kind == "long":
        return TokenClass.COMMENT if line_begins and not depth else TokenClass.LITERAL
    if kind == "name":
        return TokenClass.KEYWORD if keyword.iskeyword(lexeme) else TokenClass.NAME
    return _SIMPLE[kind]


def token_classes(tokenizer: Tokenizer, ids: Sequence[int], end_ids: frozenset[int]) -> list[TokenClass]:
    """The class of each token of ``ids``, from the text of the whole row.

    A token of several characters has the class of the first that is no white space; one of white space alone is a
    newline where it holds one. A token that holds only some bytes of a character has that character's class. Text
    before and after an end token is read apart.
    """
    classes: list[TokenClass] = []
    for begin, stop in _between(ids, end_ids):
        classes += _of_text(tokenizer, ids[begin:stop])
        classes += [TokenClass.END] * (stop < len(ids))
    return classes


def _between(ids: Sequence[int], end_ids: frozenset[int]) -> Iterator[tuple[int, int]]:
    ends = [-1, *(t for t, token_id in enumerate(ids) if token_id in end_ids), len(ids)]
    yield from ((before + 1, after) for before, after in pairwise(ends))


def _of_text(tokenizer: Tokenizer, ids: Sequence[int]) -> list[TokenClass]:
    text, offsets = token_offsets(tokenizer, ids)
    classes = character_classes(text)
    by_token = []
    for begin, stop in pairwise(offsets):
        # A part of a character spans nothing by itself: it is of the character that stands there.
        spanned = classes[begin : max(stop, begin + 1)] or classes[-1:]
        first = next((c for c in spanned if c not in FORMATTING), None)
        white = TokenClass.NEWLINE if TokenClass.NEWLINE in spanned else next(iter(spanned), TokenClass.BLANK)
        by_token.append(first or white)
    return by_token


def token_offsets(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, list[int]]:
    """The text of ``ids``, and where in it each begins, and where the last one stops: one more than there are ids.

    From the texts of single tokens where these add up to the whole, else from the texts of all prefixes: bytes of one
    character may stand in several tokens, and a first blank may be dropped.
    """
    text = tokenizer.decode(ids)
    pieces = [tokenizer.decode([token_id]) for token_id in ids]
    if "".join(pieces) == text:
        return text, [0, *accumulate(map(len, pieces))]
    offsets = [0]
    for stop in range(1, len(ids)):
        # A character whose last byte is still to come is shown as one that can't be decoded.
        reached = len(tokenizer.decode(ids[:stop]).rstrip("\ufffd"))
        offsets.append(min(max(reached, offsets[-1]), len(text)))
    return text, [*offsets, len(text)]
