"""Whether a completion only repeats its prompt.

An echo consists mostly of stretches of the prompt and has no executable statement of its own in the function that the
prompt asks for. Changed white space, a ``pass``, a comment, or test prints after the function answer nothing. A model
that repeats the signature and then solves the problem has answered, however little of the text that is, and whatever
follows the answer.

``benchmarks/calibrate.py`` measures how often sound code is called an echo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.degeneration.lexemes import lexemes, windows
from evalharness.degeneration.python_language import PYTHON

if TYPE_CHECKING:
    from evalharness.degeneration.language import Language

STRETCH = 6
"""Words and signs in a row that have to stand in the prompt. Bodies share shorter stretches with their signature
(``(self, x, y)``)."""

MIN_COVERED = 16
MIN_SHARE = 0.60
"""Least number, and share, of the completion's words and signs that stand in such stretches."""

MIN_OF_PROMPT = 0.50
"""A single line is an echo only if it is at least this share of the prompt."""


@dataclass(frozen=True, slots=True)
class Echo:
    """``covered`` of ``of`` words and signs of the completion stand in the prompt."""

    covered: int
    of: int


def find_echo(text: str, prompt: str, language: Language = PYTHON) -> Echo | None:
    """Return how much of ``text`` only repeats ``prompt``, or None if it is not an echo."""
    written, asked = lexemes(text), lexemes(prompt)
    covered = sum(_covered(written, asked))
    if covered < MIN_COVERED or covered < MIN_SHARE * len(written):
        return None
    if len(text.strip().splitlines()) < 2 and covered < MIN_OF_PROMPT * len(asked):
        return None
    is_echo = _goes_round(written, asked) or not language.is_answered(text, prompt)
    return Echo(covered, len(written)) if is_echo else None


def _goes_round(written: list[str], asked: list[str]) -> bool:
    """Whether the completion is the prompt from some place on to its end, and from its beginning again if it goes on.

    What only copies a part before the end may be an answer: a helper that is almost what is asked for.
    """
    first = written[:STRETCH]
    starts = [at for at in range(len(asked)) if asked[at : at + STRETCH] == first[: len(asked) - at]]
    return any(
        start + len(written) >= len(asked)
        and all(word == asked[(start + at) % len(asked)] for at, word in enumerate(written))
        for start in starts
    )


def _covered(written: list[str], asked: list[str]) -> list[bool]:
    """For each word of the completion, whether a stretch around it stands in the prompt."""
    known = set(windows(asked, STRETCH))
    covered = [False] * len(written)
    for at, stretch in enumerate(windows(written, STRETCH)):
        if stretch in known:
            covered[at : at + len(stretch)] = [True] * len(stretch)
    return covered
