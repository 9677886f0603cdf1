"""What evalharness has to know of a programming language. To add one, write a class like ``Python`` and list it here.

The sandbox needs a judge for it as well, see ``sandbox/inside/javascript_session.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from evalharness.degeneration.javascript_language import JAVASCRIPT
from evalharness.degeneration.python_language import PYTHON

if TYPE_CHECKING:
    from collections.abc import Mapping


class Language(Protocol):
    """A programming language: how a program is put together, whether it parses, and what in it is content.

    Spans are the characters ``start`` to ``end`` of a text. Nothing here runs a program.
    """

    @property
    def name(self) -> str:
        """The value of ``language`` in a problem."""
        ...

    def solution(self, prompt: str, text: str, *, whole: bool = False) -> str:
        """Put the program together that a completion is, without its tests; ``whole``: ``text`` has the prompt."""
        ...

    def program(self, solution: str, test: str, entry_point: str | None) -> str:
        """Put a program together with its tests, which fail by raising; ``entry_point`` is what they check."""
        ...

    def parses(self, text: str, /) -> bool:
        """Whether a completion parses by itself: as a program, as a body, or as the rest of a line."""
        ...

    def compiles(self, program: str, /) -> bool:
        """Whether a whole program compiles. Nothing is run."""
        ...

    def code_until(self, text: str, /) -> int:
        """How many of the first characters of a text are the beginning of a program; 0 if it is none."""
        ...

    def is_in_literal(self, text: str, start: int, end: int, /) -> bool:
        """Whether a span lies inside one literal, such as a string or a table."""
        ...

    def is_comment(self, text: str, start: int, end: int, /) -> bool:
        """Whether nearly all lines of a span are comments."""
        ...

    def stands_alone(self, text: str, start: int, end: int, /) -> bool:
        """Whether the lines of a span are code by themselves."""
        ...

    def is_finished_branching(self, text: str, start: int, end: int, /) -> bool:
        """Whether a span lies in branches that end the text with the last of them."""
        ...

    def is_answered(self, text: str, prompt: str, /) -> bool:
        """Whether a completion has a statement of its own in the function that the prompt asks for."""
        ...

    def is_finished_answer(self, text: str, prompt: str | None, /) -> bool:
        """Whether a text answers its prompt to the end."""
        ...


LANGUAGES: Mapping[str, Language] = {language.name: language for language in (PYTHON, JAVASCRIPT)}
"""Every language that problems can have, by its name."""
