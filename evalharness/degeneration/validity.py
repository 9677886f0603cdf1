"""Whether a completion is Python, and whether the answer was finished before a loop began."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from evalharness.degeneration.content import compiles, is_whole_program, parsed


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether the whole completion parses: by itself, and as what goes on from its prompt (None without a prompt).

    By itself means as a program, as the lines of a function's body, or as the rest of a line that begins a body.
    """

    alone: bool
    with_prompt: bool | None


def validity(text: str, prompt: str | None) -> Validity:
    """Parse ``text``; what is blank or longer than the parser is given does not count as Python."""
    return Validity(
        alone=bool(text.strip()) and is_whole_program(text),
        with_prompt=None if prompt is None else bool(text.strip()) and compiles(prompt + text),
    )


def is_finished_answer(text: str, prompt: str | None) -> bool:
    """Whether ``text``, which a loop follows, answers its prompt to the end.

    The last whole line closes a program (``prompt + text``, or a body alone without a prompt), and that program's last
    function ends in ``return`` or ``raise``, or is followed by further statements.
    """
    whole = text[: text.rfind("\n") + 1]
    if not whole.strip():
        return False
    tree = parsed((prompt if prompt is not None else "def _():\n") + whole)
    if tree is None and prompt is None:
        tree = parsed(whole)
    if not isinstance(tree, ast.Module) or not tree.body:
        return False
    last = tree.body[-1]
    if not isinstance(last, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return any(isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) for node in tree.body)
    return isinstance(last.body[-1], (ast.Return, ast.Raise))
