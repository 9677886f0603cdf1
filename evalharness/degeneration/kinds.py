"""What a loop is called, from the text of one copy."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal[
    "newline", "whitespace", "token", "phrase", "line", "block", "near", "empty", "echo", "same_answer", "gibberish"
]

_ONE_LEXICAL_TOKEN = re.compile(r"(\w+|[^\w\s])\s*")


def kind_of(copies: str) -> Kind:
    """Return the kind of a loop from the text of one or more whole copies, cut at any point of the copy.

    ``newline``: nothing but line ends. ``whitespace``: nothing but whitespace. ``block``: two lines or more. ``line``:
    one line (blank ones beside it). ``token``: one word or one sign (``return return``). ``phrase``: more than that
    within a line (``):):``). The other kinds are not told from copies. The kind depends on the text
    alone, so it is the same whatever the tokenizer.
    """
    period = primitive_root(re.sub("\r\n?", "\n", copies))
    if not period.strip():
        return "newline" if period and not period.strip("\n") else "whitespace"
    if "\n" in period:
        return "block" if _written_lines(period) > 1 else "line"
    return "token" if _ONE_LEXICAL_TOKEN.fullmatch(_from_a_word(period)) else "phrase"


def primitive_root(text: str) -> str:
    """Return the shortest text of which ``text`` is a whole number of copies (itself, where there is none shorter)."""
    period = (text + text).find(text, 1)
    return text[:period] if text else text


def _written_lines(period: str) -> int:
    """Lines that are not blank in one copy, counted round its seam: its last line goes on in the next copy's first."""
    first, *rest = period.split("\n")
    lines = [*rest[:-1], rest[-1] + first]
    return sum(bool(line.strip()) for line in lines)


def _from_a_word(period: str) -> str:
    """The copy turned so that it begins where a word begins, if it has whitespace at all."""
    seam = re.search(r"\s(?=\S)", period + period)
    if seam is None:
        return period
    turn = seam.end() % len(period)
    return period[turn:] + period[:turn]
