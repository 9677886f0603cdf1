"""What repeats itself and is content all the same: rules, underlines, alignment, literals, code of one shape."""

from __future__ import annotations

import ast
import codeop
import re
import textwrap
import warnings
from typing import TYPE_CHECKING

from evalharness.degeneration.fences import part_around

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_PARSED_CHARACTERS = 100_000
"""Longer completions are not parsed: no file of the standard library's functions comes near, and parsing takes
about a second for each MB."""

MOST_NESTED_FINALLY = 5
"""Deeper ones are not compiled: Python writes the code of each ``finally`` once for each way out of its ``try``. 700
characters, nested twelve deep, take a gigabyte."""

MAX_LINE_CHARACTERS = 120
"""The longest line that can be a rule, an underline or an alignment: the widest line length in common use."""

USUAL_LINE_CHARACTERS = 79
"""The mean length of several lines of code, at most: the limit of PEP 8."""

DEEPEST_INDENTATION = 48
"""Blanks in front of a line or between its columns are fewer, nearly always; from here on they are searched for."""

MOST_BLANK = 0.50
"""Share of a text from which on its deep alignment is a loop: ``loop_criteria.DOMINANT_SHARE``."""

NEARLY_ALL_LINES = 0.9
"""A line that noise broke in two has its second half outside of the comment."""

MIN_LINES_OF_CODE = 3
MOST_LINES = 0.70
"""Lines, and share of the lines, that have to be code for the lines to be code: one line may be anything."""

MIN_QUOTED = 6
"""Words between blanks that have to stand in the prompt in a row. Shorter stretches stand there by chance."""

# Lines may begin with the next branch of an ``if``, or with a statement that stands in a function or a loop only.
_BEFORE_LINES = ("", "if _:\n    pass\n", "try:\n    pass\n")

_BLANKS = re.compile(r"[ \t]+")
_BLANKS_OR_RULE = re.compile(r"[ \t]+|([-=*#~_+.^<>|])\1*")
# A comment that is a rule, and a line that is nothing but one: an underline in a docstring. The first may be cut.
_COMMENT_RULE = re.compile(r"[ \t]*#+[ \t]*([-=*#~_+.^<>])\1*[ \t]*#*[ \t]*")
_UNDERLINE = re.compile(r"[ \t]*(?:\"\"\"|''')?([-=*#~_+.^])\1*(?:\"\"\"|''')?[ \t]*")

_Literal = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Constant, ast.JoinedStr)
# What codeop asks with: whether there is nothing wrong but the end. Typeshed does not have it.
_ONLY_PARSED = ast.PyCF_ONLY_AST | codeop.PyCF_ALLOW_INCOMPLETE_INPUT  # type: ignore[attr-defined]
_OPEN_STRING = re.compile(r"\w{0,2}(\"\"\"|''')")
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

    Literals are strings, lists, tuples, sets and dicts. Of a chat answer the fence around those characters is parsed.
    If the completion was cut, its last line may be left out. A text that does not parse, or is longer than
    ``MAX_PARSED_CHARACTERS``, has no literals.
    """
    first, last = part_around(text, start, end)
    tree, program, offset = program_of(text[first:last])
    if tree is None:
        return False
    offset -= first
    return any(opened <= start + offset and end + offset <= closed for opened, closed in _spans(tree, program))


def stands_alone(text: str, start: int, end: int) -> bool:
    """Whether the lines of the characters ``start`` to ``end`` of ``text`` are code, whatever stands around them.

    Comments count by what they say: commented-out code is code, and prose is none. The first and the last line may be
    torn, and the first may be the rest of a block.
    """
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    covered = text[first : last if last >= 0 else len(text)]
    if len(covered) > MAX_PARSED_CHARACTERS:
        return False
    lines = [line for line in textwrap.dedent(_uncommented(covered)).splitlines() if line.strip()]
    for head in (0, 1):
        for tail in (0, 1, 2):
            if any(_is_code(context, lines[head : len(lines) - tail]) for context in _BEFORE_LINES):
                return True
    return False


def _is_code(context: str, lines: Sequence[str]) -> bool:
    if len(lines) < MIN_LINES_OF_CODE:
        return False
    # What comes before the first line of the least indentation is the rest of a block.
    indents = [len(line) - len(line.lstrip()) for line in lines]
    kept = lines[indents.index(min(indents)) :]
    return (
        len(kept) >= MOST_LINES * len(lines) and parsed(context + textwrap.dedent("\n".join(kept)) + "\n") is not None
    )


def _uncommented(text: str) -> str:
    lines = text.splitlines()
    if not all(line.lstrip().startswith("#") for line in lines if line.strip()):
        return text
    return "\n".join(re.sub(r"^([ \t]*)#+ ?", r"\1", line) for line in lines)


def is_quoted(text: str, start: int, end: int, prompt: str | None) -> bool:
    """Whether what the characters ``start`` to ``end`` of ``text`` say stands in the prompt, but for white space."""
    if prompt is None:
        return False
    said = text[start:end].split()
    return bool(said) and " ".join(said[1:-1]) in " ".join(prompt.split()) and len(said) >= MIN_QUOTED


def is_layout(text: str, start: int, end: int, copy: str) -> bool:
    """Whether a loop with interruptions is layout: blanks or one sign again and again, in lines of usual length.

    Indentation, columns, and the rules of a table are. One line that goes on and on is none. Nor is a row of blanks
    that is a loop by itself, unless it is the smaller part of the text and something is written after it: calls in
    calls are aligned as deeply.
    """
    covered = text[start:end]
    if not _BLANKS_OR_RULE.fullmatch(copy) or len(covered) > USUAL_LINE_CHARACTERS * (1 + covered.count("\n")):
        return False
    is_deep = max(map(len, _BLANKS.findall(covered)), default=0) >= DEEPEST_INDENTATION
    goes_on = bool(text[end:].strip()) and len(covered) < MOST_BLANK * len(text)
    return bool(copy.strip()) or not is_deep or goes_on


def is_comment(text: str, start: int, end: int) -> bool:
    """Whether nearly all lines of the characters ``start`` to ``end`` of ``text`` are comments: those parse anyway."""
    first = text.rfind("\n", 0, start) + 1
    lines = [line for line in text[first:end].split("\n") if line.strip()]
    comments = sum(line.lstrip().startswith("#") for line in lines)
    return comments >= NEARLY_ALL_LINES * len(lines)


def code_until(text: str) -> int:
    """Return how many of the first characters of ``text`` are the beginning of a program; 0 where it is none.

    What was cut is the beginning of a program if the parser has nothing against it but that it ends. The last line may
    be torn in the middle of a word and left out, and a string in three quotes that is still open proves nothing of what
    is in it. A text longer than ``MAX_PARSED_CHARACTERS`` is no program.
    """
    if len(text) <= MAX_PARSED_CHARACTERS:
        for begun in (text, text[: text.rfind("\n") + 1]):
            for context in _contexts(begun) if begun.strip() else ():
                until = _begun(context + begun)
                if until is not None:
                    return max(0, until - len(context))
    return 0


def _contexts(text: str) -> tuple[str, ...]:
    """What may stand before ``text``: what a tool stripped has lost the indentation of its first line."""
    indents = [line[: len(line) - len(line.lstrip())] for line in text.splitlines()[1:] if line.strip()]
    return (*_CONTEXTS, "def _():\n" + min(filter(None, indents), key=len, default="    "))


def _begun(program: str) -> int | None:
    """How many characters are no open string, if the program is the beginning of one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(program, "<completion>", "exec", _ONLY_PARSED)
    except SyntaxError as error:
        if "incomplete input" not in str(error.msg):
            return None
        lines = program.split("\n")
        line, column = (error.lineno or 1) - 1, (error.offset or 1) - 1
        if line < len(lines) and _OPEN_STRING.match(lines[line], column):
            return sum(len(before) + 1 for before in lines[:line]) + column
    except (ValueError, RecursionError, MemoryError):
        return None
    return len(program)


def is_whole_program(text: str) -> bool:
    """Whether all of ``text`` parses: as a program, as the lines of a body, or as the rest of a prompt's last line."""
    return whole_program(text) is not None


def whole_program(text: str) -> ast.AST | None:
    """Return the syntax tree of all of ``text`` in the first of those contexts in which it parses, or None."""
    return next((tree for context in _CONTEXTS if (tree := parsed(context + text)) is not None), None)


def program_of(text: str) -> tuple[ast.AST | None, str, int]:
    """Return the syntax tree, the program that it is of, and where the completion begins in that."""
    if len(text) <= MAX_PARSED_CHARACTERS:
        for lines in (text, text[: text.rfind("\n") + 1]):
            for context in _contexts(lines):
                tree = parsed(context + lines)
                if tree is not None:
                    return tree, context + lines, len(context)
    return None, "", 0


def compiles(program: str) -> bool:
    """Whether ``program`` is Python to the end: a ``return`` outside a function parses and is none. Nothing is run."""
    tree = parsed(program)
    if not isinstance(tree, ast.Module):
        return False
    if _nested_finally(tree) > MOST_NESTED_FINALLY:
        return True  # as far as it can be told
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bool(compile(tree, "<completion>", "exec", dont_inherit=True))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _nested_finally(tree: ast.AST) -> int:
    """How deep ``try … finally`` is nested."""
    deepest, left = 0, [(tree, 0)]
    while left:
        node, depth = left.pop()
        depth += isinstance(node, ast.Try | ast.TryStar) and bool(node.finalbody)
        deepest = max(deepest, depth)
        left += [(child, depth) for child in ast.iter_child_nodes(node)]
    return deepest


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
            first = character(node.lineno, node.col_offset)
            # A tuple without brackets is a list of names as often as data.
            if not isinstance(node, ast.Tuple) or program[first] == "(":
                yield first, character(node.end_lineno, node.end_col_offset)
