"""Whether a completion only says its prompt again.

What counts is which words and signs of the completion stand within a stretch of the prompt. A model that repeats the
signature and then solves the problem has said something: an echo has nothing after it.

``benchmarks/calibrate_whole.py`` measures how often sound code is called an echo.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from evalharness.degeneration.content import whole_program
from evalharness.degeneration.lexemes import lexemes, windows

STRETCH = 6
"""Words and signs in a row that have to stand in the prompt. Bodies share shorter stretches with their signature
(``(self, x, y)``)."""

MIN_COVERED = 16
MIN_SHARE = 0.60
"""Least number, and share, of the completion's words and signs that stand in such stretches. Of 3,603 functions of
reference code whose body was held against its signature and docstring, one reaches both: the second function of
HumanEval/50, which is its helper with one sign changed. It is a small part of its prompt (``MIN_OF_PROMPT``)."""

MIN_OF_PROMPT = 0.50
"""A single line is an echo only where it is at least this share of the prompt."""

_IDLE = (ast.Expr, ast.Pass, ast.FunctionDef)
"""Statements that answer nothing: a docstring, an ellipsis, a signature."""


@dataclass(frozen=True, slots=True)
class Echo:
    """``covered`` of ``of`` words and signs of the completion stand in the prompt."""

    covered: int
    of: int


def find_echo(text: str, prompt: str) -> Echo | None:
    """Return how much of ``text`` only repeats ``prompt``, or None where it is not an echo."""
    written = lexemes(text)
    covered = _covered(written, lexemes(prompt))
    count = sum(covered)
    if count < MIN_COVERED or count < MIN_SHARE * len(written):
        return None
    if len(text.strip().splitlines()) < 2 and count < MIN_OF_PROMPT * len(lexemes(prompt)):
        return None
    last = len(covered) - covered[::-1].index(True)
    return None if _is_answer(text, len(written) - last) else Echo(count, len(written))


def _covered(written: list[str], asked: list[str]) -> list[bool]:
    """For each word of the completion, whether a stretch around it stands in the prompt."""
    known = set(windows(asked, STRETCH))
    covered = [False] * len(written)
    for at, stretch in enumerate(windows(written, STRETCH)):
        if stretch in known:
            covered[at : at + len(stretch)] = [True] * len(stretch)
    return covered


def _is_answer(text: str, after: int) -> bool:
    """Whether the last ``after`` words and signs of ``text``, from the beginning of their line on, say what to do."""
    lines = text.splitlines(keepends=True)
    tail = ""
    while lines and len(lexemes(tail)) < after:
        tail = lines.pop() + tail
    tree = whole_program(tail)
    return tree is not None and any(
        isinstance(node, ast.stmt) and not isinstance(node, _IDLE) for node in ast.walk(tree)
    )
