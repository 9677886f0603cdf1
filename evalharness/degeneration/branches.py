"""Branches that a completion tries one after another and finishes: an ``if`` with its last ``else``.

Three types, each compared in the same way, are the same lines three times. What tells them from a loop is how they end:
in an ``else`` that leaves the function, with nothing after it. A loop of branches runs on to the cut.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from evalharness.degeneration.answers import leaves
from evalharness.degeneration.content import program_of
from evalharness.degeneration.fences import part_around

if TYPE_CHECKING:
    from collections.abc import Iterator

DISTINCT = 0.50
"""Share of the conditions that differ from each other, at least: a loop of branches asks one or two again and again."""


def is_finished_branching(text: str, start: int, end: int) -> bool:
    """Whether the characters ``start`` to ``end`` of ``text`` lie in branches that the text ends with the last of.

    That is an ``else``, or, after one ``if`` below the other, a ``return`` of its own. The text, or the fence around
    those characters, parses to its end, which only a closing fence may follow.
    """
    first, last = part_around(text, start, min(end, start + 1))
    tree, program, offset = program_of(text[first:last])
    whole = tree is not None and len(program) - offset == last - first
    if not whole or text[last:].strip("`~ \n"):
        return False
    line = program.count("\n", 0, offset + start - first) + 1
    last_line = program.rstrip().count("\n") + 1
    nodes = list(ast.walk(tree)) if tree is not None else []
    return any(
        isinstance(node, ast.If) and node.lineno <= line + 1 and node.end_lineno == last_line and _is_finished(node)
        for node in nodes
    ) or any(
        isinstance(node, ast.FunctionDef) and node.end_lineno == last_line and _is_ladder(node.body, line)
        for node in nodes
    )


def _is_ladder(body: list[ast.stmt], line: int) -> bool:
    """Whether a body is, from ``line`` on, one ``if`` below the other and a ``return`` after the last."""
    *steps, last = [statement for statement in body if (statement.end_lineno or 0) >= line]
    conditions = {ast.dump(step.test) for step in steps if isinstance(step, ast.If)}
    return len(steps) > 1 and len(conditions) == len(steps) and isinstance(last, ast.Return)


def _is_finished(chain: ast.If) -> bool:
    """Whether the ``if`` has more than one condition, most of them of their own, and an ``else`` that leaves."""
    branches = list(_branches(chain))
    conditions = {ast.dump(branch.test) for branch in branches}
    otherwise = branches[-1].orelse
    is_varied = len(branches) > 1 and len(conditions) >= DISTINCT * len(branches)
    return is_varied and bool(otherwise) and leaves(otherwise[-1])


def _branches(chain: ast.If) -> Iterator[ast.If]:
    yield chain
    if len(chain.orelse) == 1 and isinstance(chain.orelse[0], ast.If):
        yield from _branches(chain.orelse[0])
