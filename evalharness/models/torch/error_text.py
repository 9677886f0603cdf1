"""How errors of this package are put in words: one line, with the nearest name where one was mistyped."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LINE_LIMIT = 240


def first_line(error: BaseException) -> str:
    """Return the exception's type and the first line of its text, cut where it is very long."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text if len(text) <= _LINE_LIMIT else text[:_LINE_LIMIT] + "…"


def first_sentence(error: BaseException) -> str:
    """Return the same up to the end of its first sentence: what follows is advice for whoever calls torch."""
    return first_line(error).split(". ")[0].rstrip(".")


def some(names: Iterable[str], shown: int = 3) -> str:
    """Return the count and the first few names: ``5 (a, b, c, …)``."""
    names = list(names)
    listed = ", ".join(names[:shown]) + (", …" if len(names) > shown else "")
    return f"{len(names)} ({listed})"


def nearest(name: str, known: Sequence[str], shown: int = 8) -> str:
    """Return ``nearest: x``, or the first few known names where none is near."""
    if match := _alike(name, known):
        return f"nearest: {match[0]}"
    if not known:
        return "there is none"
    return "there: " + ", ".join(known[:shown]) + (", …" if len(known) > shown else "")


def is_like_one_of(name: str, known: Sequence[str]) -> bool:
    """Return whether :func:`nearest` has a name that is near."""
    return bool(_alike(name, known))


def _alike(name: str, known: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(name, known, n=1, cutoff=0.5)
