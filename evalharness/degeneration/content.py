"""What repeats itself and is content all the same: rules, underlines, alignment, literals."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PARSED_CHARACTERS = 100_000
"""Longer completions are not parsed: no file of the standard library's functions comes near, and parsing takes
about a second for each MB."""

MAX_TORN_LINES = 12
"""Lines of a statement that a limit may have cut: nearly all statements of reference code are shorter."""

MAX_LINE_CHARACTERS = 120
"""The longest line that can be a rule, an underline or an alignment: the widest line length in common use."""

# A comment that is a rule, and a line that is nothing but one: an underline in a docstring. The first may be cut.
_COMMENT_RULE = re.compile(r"[ \t]*#+[ \t]*([-=*#~_+.^<>])\1*[ \t]*#*[ \t]*")
_UNDERLINE = re.compile(r"[ \t]*(?:\"\"\"|''')?([-=*#~_+.^])\1*(?:\"\"\"|''')?[ \t]*")

_Literal = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Constant, ast.JoinedStr)
# The completion may be a program, the lines of a body, or the rest of a prompt's last line.
_CONTEXTS = ("", "def _():\n", "def _():")


def is_rule(text: str, start: int, end: int) -> bool:
    """Whether the characters ``start`` to ``end`` of ``text`` are a comment's rule or an underline.

    Both stand within one line of at most ``MAX_LINE_CHARACTERS``. An underline also has something above it and has
    ended; a line of signs that is all there is, or is still going on, is a loop.
    """
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    has_ended = line_end >= 0
    line = text[line_start : line_end if has_ended else len(text)]
    if end > line_start + len(line) or len(line) > MAX_LINE_CHARACTERS:
        return False
    if _COMMENT_RULE.fullmatch(line):
        return True
    return has_ended and bool(text[:line_start].strip()) and bool(_UNDERLINE.fullmatch(line))


def is_alignment(text: str, start: int, end: int) -> bool:
    """Whether the characters ``start`` to ``end`` of ``text`` are blanks within one line, with something after them."""
    blanks = text[start:end]
    followed = end < len(text) and not text[end].isspace()
    return followed and len(blanks) <= MAX_LINE_CHARACTERS and not blanks.strip(" \t")


def is_in_literal(text: str, start: int, end: int) -> bool:
    """Whether the characters ``start`` to ``end`` of ``text`` lie inside one literal of a text that parses.

    Literals are strings, lists, tuples, sets and dicts. Where the completion was cut, its last line may be left out. A
    text that does not parse, or is longer than ``MAX_PARSED_CHARACTERS``, has no literals.
    """
    tree, program, offset = _program(text)
    if tree is None:
        return False
    return any(first <= start + offset and end + offset <= last for first, last in _spans(tree, program))


def is_program(text: str, at_least: int = 0) -> bool:
    """Whether ``text`` parses: as a program, as the lines of a body, or as the rest of a prompt's last line.

    It may have been cut within a statement: as many as ``MAX_TORN_LINES`` of its last lines may be left out, but the
    first ``at_least`` characters have to be in it. A text longer than ``MAX_PARSED_CHARACTERS`` is none.
    """
    if len(text) > MAX_PARSED_CHARACTERS:
        return False
    whole = text
    for _ in range(MAX_TORN_LINES):
        if is_whole_program(whole):
            return True
        whole = whole[: whole.rfind("\n", 0, len(whole) - 1) + 1]
        if len(whole) < at_least or not whole.strip():
            break
    return False


def is_whole_program(text: str) -> bool:
    """Whether all of ``text`` parses: as a program, as the lines of a body, or as the rest of a prompt's last line."""
    return whole_program(text) is not None


def whole_program(text: str) -> ast.AST | None:
    """Return the syntax tree of all of ``text`` in the first of those contexts in which it parses, or None."""
    return next((tree for context in _CONTEXTS if (tree := parsed(context + text)) is not None), None)


def _program(text: str) -> tuple[ast.AST | None, str, int]:
    """The syntax tree, the program that it is of, and where the completion begins in that."""
    if len(text) <= MAX_PARSED_CHARACTERS:
        for lines in (text, text[: text.rfind("\n") + 1]):
            for context in _CONTEXTS:
                tree = parsed(context + lines)
                if tree is not None:
                    return tree, context + lines, len(context)
    return None, "", 0


def compiles(program: str) -> bool:
    """Whether ``program`` is Python to the end: a ``return`` outside a function parses and is none. Nothing is run."""
    tree = parsed(program)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return isinstance(tree, ast.Module) and bool(compile(tree, "<completion>", "exec", dont_inherit=True))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def parsed(program: str) -> ast.AST | None:
    """Return the syntax tree, or None where there is none, or ``program`` is longer than ``MAX_PARSED_CHARACTERS``.

    What a model writes can exhaust the parser as well as offend it.
    """
    if len(program) > MAX_PARSED_CHARACTERS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _spans(tree: ast.AST, program: str) -> Iterator[tuple[int, int]]:
    """First character and the one after the last of each literal. Lines count from 1 in ast, columns UTF-8 bytes."""
    lines = re.split("(?<=\n)|(?<=\r)(?!\n)", program)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def character(line: int, column_bytes: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column_bytes].decode())

    for node in ast.walk(tree):
        if isinstance(node, _Literal) and node.end_lineno is not None and node.end_col_offset is not None:
            yield character(node.lineno, node.col_offset), character(node.end_lineno, node.end_col_offset)
