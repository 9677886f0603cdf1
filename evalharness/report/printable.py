"""Text from a model, a file or a user, made safe to print: nothing in it may move a cursor or hide what it says."""

from __future__ import annotations

import re

_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")


def visible(text: str) -> str:
    r"""Return ``text`` with every invisible character but line ends, tabs and spaces as a Python escape (``\x1b``).

    Control characters, marks of direction, other spaces and lone surrogates are escaped.
    """
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in text)


def one_line(text: str) -> str:
    """Return ``text`` with every invisible character escaped, line ends and tabs too."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def shortened(text: str, characters: int) -> str:
    """Return ``text``, or its beginning with an ellipsis if it is longer than ``characters``."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def first_sentence(text: str) -> str:
    """Return ``text`` up to the end of its first sentence: a full stop before a space and a capital letter or code."""
    return _SENTENCE_ENDS.split(text, maxsplit=1)[0]


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
