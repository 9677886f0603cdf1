"""Whether a completion answers: statements of its own in the function that the prompt asks for, and whether it ends.

Chat answers are looked at fence by fence, for prose around code does not parse.
"""

from __future__ import annotations

import ast
import re
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING

from evalharness.degeneration.content import parsed
from evalharness.degeneration.fences import parts
from evalharness.degeneration.lexemes import lexemes, windows

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT_STRETCH = 3
SAME_LINE = 0.50
"""Share of a line's stretches of three words and signs that stand in a line of the prompt, from which on the line is
the prompt's. A changed word spoils three of them."""

NEARLY_THE_LINE = 0.75
"""Likeness (Ratcliff and Obershelp's ratio) of a line with two words changed to the prompt's line."""

MAX_DROPPED = 3
"""Lines at the end that a cut may have spoiled: a torn one, and the header of the block that it was in."""

MAX_MARGINS = 8
"""Lines at the margin before which an answer may be finished: the prompt's imports and signatures are among them."""

_IDLE = (ast.Pass, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
"""Statements that answer nothing, besides a docstring or an ellipsis."""

_Function = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINED = re.compile(r"^[ \t]*(?:async\s+)?def\s+(\w+)", re.MULTILINE)
_MARGIN = re.compile(r"(?<=\n)(?=\S)")
_LOST_LINE_END = re.compile(r"(?<=\S)(?=[ ]{4})")
_STATEMENT = re.compile(
    r"[ \t]*(?:return\b|yield\b|raise\b|(?:el)?if\b.+:|(?:for|while|with)\b.+:|else\s*:|try\s*:"
    r"|[A-Za-z_][\w.\[\], ]*\s*(?:[-+*/%&|^]|//|\*\*)?=(?!=)|[A-Za-z_][\w.]*\.\w+\()"
)


def is_answered(text: str, prompt: str) -> bool:
    """Whether ``text`` has an executable statement of its own in the function that ``prompt`` asks for."""
    asked = _requested_function(prompt)
    return any(
        _is_answer(written[start:end], program, prompt, asked)
        for written in _readings(text)
        for start, end in {(0, len(written)), *_parts_of_its_own(written, prompt)}
        for program in _programs(written[start:end], prompt)
    )


def _parts_of_its_own(text: str, prompt: str) -> list[tuple[int, int]]:
    """The parts between fences but for those of the prompt's docstring, which has examples in fences, too."""
    of_prompt = _stretches("\n".join(prompt[start:end] for start, end in parts(prompt)[1::2]))
    if not of_prompt:
        return parts(text)
    return [(start, end) for start, end in parts(text) if not _mostly_in(text[start:end], of_prompt)]


def _mostly_in(code: str, known: set[tuple[str, ...]]) -> bool:
    stretches = [stretch for line in code.splitlines() for stretch in windows(lexemes(line), SHORT_STRETCH)]
    return sum(stretch in known for stretch in stretches) >= SAME_LINE * len(stretches)


def _readings(text: str) -> set[str]:
    """The text as it is, and with the line ends that a tool wrote as a backslash and an n, or lost."""
    return {text, text.replace("\\n", "\n"), _LOST_LINE_END.sub("\n", text)}


def _requested_function(prompt: str) -> str | None:
    """The name of the last function of the prompt, which a docstring may mention others after."""
    tree = parsed(prompt)
    last = tree.body[-1] if isinstance(tree, ast.Module) and tree.body else None
    if isinstance(last, _Function):
        return last.name
    return _last_defined(prompt)


def _programs(code: str, prompt: str) -> Iterator[str]:
    """The programs that ``code`` may be: whole ones, or what goes on from the prompt."""
    if _DEFINED.search(code) or not _DEFINED.search(prompt):
        yield code
    yield prompt + code


def _is_answer(code: str, program: str, prompt: str, asked: str | None) -> bool:
    """Whether ``program`` acts, as far as it parses, or has a line that does after that."""
    tree, dropped = _parsed_to_the_cut(program)
    unread = code if tree is None else dropped
    before = program[: len(program) - len(unread)]
    return (tree is not None and _acts(tree, asked)) or any(_own_statements(unread, before, prompt, asked))


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
    """Whether the function ``asked`` (any function, or the program, without a name) has a statement that acts.

    A ``return`` outside of any function belongs to a body that lost its indentation.
    """
    if asked is None:
        return _has_statement(tree)
    return _returns_outside(tree) or any(
        _has_statement(node) for node in ast.walk(tree) if isinstance(node, _Function) and node.name == asked
    )


def _returns_outside(node: ast.AST) -> bool:
    """Whether there is a ``return`` in ``node`` that is in no function."""
    inner = [child for child in ast.iter_child_nodes(node) if not isinstance(child, _Function)]
    return any(isinstance(child, ast.Return) or _returns_outside(child) for child in inner)


def _has_statement(node: ast.AST) -> bool:
    return any(
        isinstance(inner, ast.stmt) and not isinstance(inner, _IDLE) and not _is_constant(inner)
        for outer in getattr(node, "body", ())
        for inner in ast.walk(outer)
    )


def _is_constant(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _own_statements(code: str, before: str, prompt: str, asked: str | None) -> Iterator[str]:
    """Lines of a text that does not parse that look like statements and are not the prompt's, nor test prints.

    In the function that was ``asked`` for, a line of another function of the prompt is the answer's own: a helper may
    be almost what is asked for. ``before`` is what ``code`` goes on from.
    """
    of_asked = prompt[max((m.start() for m in _DEFINED.finditer(prompt) if m[1] == asked), default=0) :]
    known, known_in_asked = prompt.splitlines(), of_asked.splitlines()
    # What stands before the asked function's own signature belongs to a helper.
    function = None if asked in _DEFINED.findall(code) else _last_defined(before)
    for line in code.splitlines():
        function = _last_defined(line) or function
        there = known_in_asked if function == asked else known
        if _STATEMENT.match(line) and not _stands_in(line, there):
            yield line


def _stands_in(line: str, lines: list[str]) -> bool:
    """Whether ``line`` is one of ``lines``, or nearly: by its stretches of words, or letter by letter."""
    if _mostly_in(line, _stretches("\n".join(lines))):
        return True
    return bool(get_close_matches(line.strip(), [other.strip() for other in lines], n=1, cutoff=NEARLY_THE_LINE))


def _stretches(code: str) -> set[tuple[str, ...]]:
    return {stretch for line in code.splitlines() for stretch in windows(lexemes(line), SHORT_STRETCH)}


def _last_defined(code: str) -> str | None:
    names = _DEFINED.findall(code)
    return names[-1] if names else None


def is_finished_answer(text: str, prompt: str | None) -> bool:
    """Whether ``text``, which a loop follows, answers its prompt to the end.

    The last whole line, or one before a line at the margin, closes a program (``prompt + text``, or a body alone
    without a prompt), and the function that was asked for has a statement of its own and ends in ``return`` or
    ``raise``, or is followed by further statements. What else follows at the margin is prose or markup.
    """
    asked = None if prompt is None else _requested_function(prompt)
    whole = text[: text.rfind("\n") + 1]
    to_margin = {(0, line.start()) for line in islice(_MARGIN.finditer(whole), MAX_MARGINS)}
    return any(
        _is_finished(tree, asked)
        for start, end in {(0, len(whole)), *parts(whole), *to_margin}
        for program in _finished_programs(whole[start:end], prompt)
        if whole[start:end].strip() and (tree := parsed(program)) is not None
    )


def _finished_programs(code: str, prompt: str | None) -> Iterator[str]:
    yield ("def _():\n" if prompt is None else prompt) + code
    yield code


def _is_finished(tree: ast.AST, asked: str | None) -> bool:
    """Whether a function of the program (the one that was asked for, if its name is known) is whole."""
    statements = tree.body if isinstance(tree, ast.Module) else []
    return any(
        isinstance(statement, _Function)
        and (asked is None or statement.name == asked)
        and _has_statement(statement)
        and (at < len(statements) - 1 or leaves([s for s in statement.body if not _is_constant(s)][-1]))
        for at, statement in enumerate(statements)
    )


def leaves(statement: ast.stmt) -> bool:
    """Whether ``statement`` returns or raises, in each of its branches, or somewhere in a loop."""
    if isinstance(statement, (ast.For, ast.AsyncFor, ast.While)):
        return any(isinstance(inner, ast.Return) for inner in ast.walk(statement))
    if isinstance(statement, ast.If):
        return bool(statement.orelse) and leaves(statement.body[-1]) and leaves(statement.orelse[-1])
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        return leaves(statement.body[-1])
    if isinstance(statement, ast.Try):
        branches = [statement.body, *(handler.body for handler in statement.handlers)]
        return all(leaves(branch[-1]) for branch in branches)
    return isinstance(statement, (ast.Return, ast.Raise))
