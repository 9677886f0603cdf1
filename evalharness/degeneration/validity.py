"""Whether a completion is a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.degeneration.python_language import PYTHON

if TYPE_CHECKING:
    from evalharness.degeneration.language import Language


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether the whole completion parses: by itself, and as what goes on from its prompt (None without a prompt).

    By itself means as a program, as the lines of a function's body, or as the rest of a line that begins a body.
    """

    alone: bool
    with_prompt: bool | None


def validity(text: str, prompt: str | None, language: Language = PYTHON) -> Validity:
    """Parse ``text``; what is blank or longer than the parser is given does not count."""
    return Validity(
        alone=bool(text.strip()) and language.parses(text),
        with_prompt=None if prompt is None else bool(text.strip()) and language.compiles(prompt + text),
    )
