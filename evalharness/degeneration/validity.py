"""Whether a completion is Python."""

from __future__ import annotations

from dataclasses import dataclass

from evalharness.degeneration.content import compiles, is_whole_program


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
