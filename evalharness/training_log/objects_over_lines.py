"""An object over several lines, as ``pprint`` and ``json.dumps(row, indent=2)`` write it: as one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_LINES = 60
"""A row of figures has fewer; what goes on for longer is no row, or its end is lost."""
BEGINS = re.compile(r"\{[^\S\n]*(?:['\"][^{}\n]*)?$", re.MULTILINE)
"""A brace that a line leaves open, with nothing or a key behind it; code has other things there."""


def begins_object(lines: str) -> bool:
    """Whether a line leaves an object open."""
    return "{" in lines and BEGINS.search(lines) is not None


def whole_objects(at: int, line: str, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The object that a line begins, as one line, and those that begin where it breaks off.

    ``lines`` go on below it; what ends an object, or shows that it has no end, is taken from them.
    """
    begun = [(at, line)]
    depth = _depth(line)
    for numbered in lines:
        text = numbered[1]
        is_lost = text.startswith("{") or len(begun) == MOST_LINES  # what is in an object is indented
        if is_lost:
            yield from begun
            begun, depth = [], 0
        begun.append(numbered)
        depth += _depth(text)
        if depth <= 0:
            yield begun[0][0], " ".join([*(text.rstrip("\n") for _, text in begun[:-1]), text])
            return
    yield from begun


def _depth(line: str) -> int:
    return line.count("{") - line.count("}")
