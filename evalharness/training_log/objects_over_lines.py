"""An object over several lines, as ``pprint`` and ``json.dumps(row, indent=2)`` write it: as one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_LINES = 60
"""A row of figures has fewer; what goes on for longer is no row, or its end is lost."""
BEGINS = re.compile(r"\{\s*(?:['\"][^{}]*)?$")
"""A brace that the line leaves open, with nothing or a key behind it; code has other things there."""


def whole_objects(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines with their numbers; those of one object as one, with the number of its first."""
    begun: list[tuple[int, str]] = []
    depth = 0
    for numbered in lines:
        line = numbered[1]
        if begun and line.startswith("{"):  # what is in an object is indented: the one before has lost its end
            yield from begun
            begun, depth = [], 0
        if not begun and ("{" not in line or not BEGINS.search(line)):
            yield numbered
            continue
        begun.append(numbered)
        depth += line.count("{") - line.count("}")
        if depth <= 0:
            yield begun[0][0], " ".join(text.rstrip("\n") for _, text in begun[:-1]) + " " + line
        elif len(begun) < MOST_LINES:
            continue
        else:
            yield from begun
        begun, depth = [], 0
    yield from begun
