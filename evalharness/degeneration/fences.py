"""Chat answers: code between lines of three backticks, and prose around it.

The rules about content need code that parses, so they look at the code of one fence at a time.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*(?:\n|\Z)", re.MULTILINE)
_MARKS = ("```", "~~~")


def has_marks(text: str) -> bool:
    """Whether the marks of a fence stand anywhere: without them there is none."""
    return any(mark in text for mark in _MARKS)


def parts(text: str) -> list[tuple[int, int]]:
    """Return the first character and the one after the last of each part of ``text`` between two fences.

    Parts are code and prose by turns. Which is which is not told: a prompt may have opened a fence, or a cut lost one.
    """
    edges = [0]
    for fence in _FENCE.finditer(text) if has_marks(text) else ():
        edges += fence.span()
    edges.append(len(text))
    return list(zip(edges[::2], edges[1::2], strict=True))


def part_around(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the part of ``text`` in which the characters ``start`` to ``end`` lie; all of it if no part holds them."""
    for first, last in parts(text):
        if first <= start and end <= last:
            return first, last
    return 0, len(text)


def answer_code(text: str, name: str | None) -> str:
    """Return the code of a chat answer: of the first fence that defines ``name``, else of the first fence.

    What stands before the first fence is the code if it defines ``name`` and no fence does, or if the fences hold
    nothing: the prompt opened the fence that the answer closes. An answer without a fence is code as it is.
    """
    begun, *others = [text[start:end] for start, end in parts(text)]
    blocks = [block for block in others[::2] if block.strip()]
    definition = None if name is None else re.compile(rf"^[ \t]*(?:async\s+)?def\s+{re.escape(name)}\b", re.MULTILINE)
    defining = [part for part in (*blocks, begun) if definition is not None and definition.search(part)]
    return next(iter([*defining, *blocks]), begun if others and begun.strip() else text)
