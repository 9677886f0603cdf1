"""Whether a completion only repeats its prompt.

An echo consists mostly of stretches of the prompt and has no executable statement of its own in the function that the
prompt asks for. Changed white space, a ``pass``, a comment, or test prints after the function answer nothing. A model
that repeats the signature and then solves the problem has answered, however little of the text that is, and whatever
follows the answer.

``benchmarks/calibrate.py`` measures how often sound code is called an echo.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.degeneration.content import parsed
from evalharness.degeneration.fences import parts
from evalharness.degeneration.lexemes import lexemes, windows

if TYPE_CHECKING:
    from collections.abc import Iterator

STRETCH = 6
"""Words and signs in a row that have to stand in the prompt. Bodies share shorter stretches with their signature
(``(self, x, y)``)."""

MIN_COVERED = 16
MIN_SHARE = 0.60
"""Least number, and share, of the completion's words and signs that stand in such stretches."""

MIN_OF_PROMPT = 0.50
"""A single line is an echo only if it is at least this share of the prompt."""

SHORT_STRETCH = 3
SAME_LINE = 0.50
"""Share of a line's stretches of three words and signs that stand in a line of the prompt, from which on the line is
the prompt's. A changed word spoils three of them."""

MAX_DROPPED = 3
"""Lines at the end that a cut may have spoiled: a torn one, and the header of the block that it was in."""

_IDLE = (ast.Pass, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
"""Statements that answer nothing, besides a docstring or an ellipsis."""

_DEFINED = re.compile(r"^[ \t]*(?:async\s+)?def\s+(\w+)", re.MULTILINE)
_STATEMENT = re.compile(
    r"[ \t]*(?:return\b|yield\b|raise\b|(?:el)?if\b.+:|(?:for|while|with)\b.+:|else\s*:|try\s*:"
    r"|[A-Za-z_][\w.\[\], ]*\s*(?:[-+*/%&|^]|//|\*\*)?=(?!=)|[A-Za-z_][\w.]*\.\w+\()"
)


@dataclass(frozen=True, slots=True)
class Echo:
    """``covered`` of ``of`` words and signs of the completion stand in the prompt."""

    covered: int
    of: int


def find_echo(text: str, prompt: str) -> Echo | None:
    """Return how much of ``text`` only repeats ``prompt``, or None if it is not an echo."""
    written = lexemes(text)
    covered = sum(_covered(written, lexemes(prompt)))
    if covered < MIN_COVERED or covered < MIN_SHARE * len(written):
        return None
    if len(text.strip().splitlines()) < 2 and covered < MIN_OF_PROMPT * len(lexemes(prompt)):
        return None
    return None if is_answered(text, prompt) else Echo(covered, len(written))


def _covered(written: list[str], asked: list[str]) -> list[bool]:
    """For each word of the completion, whether a stretch around it stands in the prompt."""
    known = set(windows(asked, STRETCH))
    covered = [False] * len(written)
    for at, stretch in enumerate(windows(written, STRETCH)):
        if stretch in known:
            covered[at : at + len(stretch)] = [True] * len(stretch)
    return covered


def is_answered(text: str, prompt: str) -> bool:
    """Whether ``text`` has an executable statement of its own in the function that ``prompt`` asks for."""
    asked = _asked(prompt)
    # A docstring may have a fence, too.
    return any(
        _is_answer(text[start:end], program, prompt, asked)
        for start, end in {(0, len(text)), *parts(text)}
        for program in _programs(text[start:end], prompt)
    )


def _asked(prompt: str) -> str | None:
    """The name of the last function of the prompt, which a docstring may mention others after."""
    tree = parsed(prompt)
    last = tree.body[-1] if isinstance(tree, ast.Module) and tree.body else None
    if isinstance(last, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return last.name
    names = _DEFINED.findall(prompt)
    return names[-1] if names else None


def _programs(code: str, prompt: str) -> Iterator[str]:
    """The programs that ``code`` may be: whole ones, or what goes on from the prompt."""
    if _DEFINED.search(code) or not _DEFINED.search(prompt):
        yield code
    yield prompt + code


def _is_answer(code: str, program: str, prompt: str, asked: str | None) -> bool:
    """Whether ``program`` acts, as far as it parses, or has a line that does after that."""
    tree, dropped = _parsed_to_the_cut(program)
    unread = code if tree is None else dropped
    return (tree is not None and _acts(tree, asked)) or any(_own_statements(unread, prompt))


def _parsed_to_the_cut(program: str) -> tuple[ast.AST | None, str]:
    """The syntax tree of as much as parses, if no more than the end is spoiled, and that end."""
    kept = program
    for _ in range(MAX_DROPPED + 1):
        tree = parsed(kept)
        if tree is not None:
            return tree, program[len(kept) :]
        kept = kept[: kept.rstrip().rfind("\n") + 1]
    return None, ""


def _acts(tree: ast.AST, asked: str | None) -> bool:
    """Whether the function ``asked`` (any function, or the program, without a name) has a statement that acts."""
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    if asked is None:
        return _has_statement(tree)
    return any(_has_statement(node) for node in functions if node.name == asked)


def _has_statement(node: ast.AST) -> bool:
    return any(
        isinstance(inner, ast.stmt) and not isinstance(inner, _IDLE) and not _is_constant(inner)
        for outer in getattr(node, "body", ())
        for inner in ast.walk(outer)
    )


def _is_constant(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _own_statements(code: str, prompt: str) -> Iterator[str]:
    """Lines of a text that does not parse that look like statements and are not the prompt's, nor test prints."""
    known = {stretch for line in prompt.splitlines() for stretch in windows(lexemes(line), SHORT_STRETCH)}
    for line in code.splitlines():
        stretches = windows(lexemes(line), SHORT_STRETCH)
        if _STATEMENT.match(line) and sum(stretch in known for stretch in stretches) < SAME_LINE * len(stretches):
            yield line
