"""JavaScript, as :class:`evalharness.degeneration.language.Language` asks for it: by its brackets and literals alone.

There is no parser of JavaScript here. A text counts as code if it has a statement's signs, its brackets fit, and its
literals and comments are closed. A regular expression with a quote or a bracket in it may be taken for something else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from evalharness.degeneration.content import NEARLY_ALL_LINES

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/)"
    r"|(?P<literal>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)"
    r"|(?P<open>[({\[])|(?P<close>[)}\]])|(?P<broken>/\*|[\"'`])",
    re.DOTALL,
)
_PAIRS = {")": "(", "}": "{", "]": "["}
_SIGNS = re.compile(r"[;={}()]")
_STATEMENT = re.compile(r"\b(?:return|throw|yield)\b|[^=!<>]=[^=]|\w\(")
_COMMENTED = ("//", "/*", "*")


class _Brackets(NamedTuple):
    """``missing`` brackets are closed and were never opened, ``left`` are still open; ``broken``: a literal is."""

    missing: int
    left: int
    broken: bool
    mixed: bool


class JavaScript:
    """Programs as MultiPL-E puts them together."""

    name = "javascript"

    def solution(self, prompt: str, text: str, *, whole: bool = False) -> str:
        """See :class:`Language`."""
        return f"{text}\n" if whole else f"{prompt}{text}\n"

    def program(self, solution: str, test: str, entry_point: str | None) -> str:  # noqa: ARG002 - the tests name it
        """See :class:`Language`."""
        return f"{solution}\n{test}"

    def parses(self, text: str) -> bool:
        """See :class:`Language`: a body may close the function that its prompt has opened."""
        found = _brackets(text)
        return _is_code(text) and not (found.broken or found.mixed or found.left) and found.missing <= 1

    def compiles(self, program: str) -> bool:
        """See :class:`Language`."""
        return self.parses(program) and _brackets(program).missing == 0

    def code_until(self, text: str) -> int:
        """See :class:`Language`."""
        return len(text) if _is_code(text) and not _brackets(text).mixed else 0

    def is_in_literal(self, text: str, start: int, end: int) -> bool:
        """See :class:`Language`."""
        return any(first <= start and end <= last for first, last in _spans(text, "literal"))

    def is_comment(self, text: str, start: int, end: int) -> bool:
        """See :class:`Language`."""
        lines = [line for line in text[text.rfind("\n", 0, start) + 1 : end].split("\n") if line.strip()]
        return sum(line.lstrip().startswith(_COMMENTED) for line in lines) >= NEARLY_ALL_LINES * len(lines)

    def stands_alone(self, text: str, start: int, end: int) -> bool:
        """See :class:`Language`."""
        return self.parses(text[start:end])

    def is_finished_branching(self, text: str, start: int, end: int) -> bool:  # noqa: ARG002 - no tree of a program
        """See :class:`Language`: never known here."""
        return False

    def is_answered(self, text: str, prompt: str) -> bool:
        """See :class:`Language`."""
        own = [line for line in text.splitlines() if line.strip() and line not in prompt.splitlines()]
        return any(_STATEMENT.search(line) for line in own if not line.lstrip().startswith(_COMMENTED))

    def is_finished_answer(self, text: str, prompt: str | None) -> bool:
        """See :class:`Language`."""
        return self.is_answered(text, prompt or "") and self.compiles(f"{prompt or ''}{text}")


def _is_code(text: str) -> bool:
    return _SIGNS.search(text) is not None


def _spans(text: str, kind: str) -> Iterator[tuple[int, int]]:
    return (token.span() for token in _TOKEN.finditer(text) if token.lastgroup == kind)


def _brackets(text: str) -> _Brackets:
    open_ones: list[str] = []
    missing, mixed, broken = 0, False, False
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "open":
            open_ones.append(token.group())
        elif token.lastgroup == "broken":
            broken = True
        elif token.lastgroup == "close" and not open_ones:
            missing += 1
        elif token.lastgroup == "close":
            mixed |= open_ones.pop() != _PAIRS[token.group()]
    return _Brackets(missing, len(open_ones), broken, mixed)


JAVASCRIPT = JavaScript()
