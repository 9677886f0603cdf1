"""The completions that a page lets its reader browse: of one checkpoint, or of several side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalharness.report.placed_tokens import Token


@dataclass(frozen=True, slots=True)
class BrowsedCompletion:
    """One completion with all that is recorded of it.

    ``column`` is the index of its checkpoint. ``loop`` are the first character of its loop and the one after its last;
    ``tokens`` is empty if they are not recorded. ``evidence`` says what makes it degenerate, ``message`` what the
    sandbox said. ``verdict`` is empty if it was not run, ``kind`` None if it is not degenerate.
    """

    column: int
    decoding: str
    completion_id: int
    text: str
    loop: tuple[int, int] | None
    tokens: tuple[Token, ...]
    kind: str | None
    evidence: str
    verdict: str
    message: str
    stop_reason: str


@dataclass(frozen=True, slots=True)
class BrowsedProblem:
    """One problem with its completions; ``prompt`` and ``expected`` are None if they are not recorded."""

    problems: str
    task_id: str
    prompt: str | None
    expected: str | None
    completions: tuple[BrowsedCompletion, ...]


@dataclass(frozen=True, slots=True)
class CompletionBrowser:
    """Problems in their order, and what the checkpoints are called whose completions stand side by side."""

    columns: tuple[str, ...]
    problems: tuple[BrowsedProblem, ...]
