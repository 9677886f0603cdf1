"""What a report shows beside the scorecard: the completions themselves, and the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from evalharness.degeneration import Degeneration
    from evalharness.records import Completion, Execution, LossPoint, Problem


@dataclass(frozen=True, slots=True)
class Scored:
    """One completion with the problem that it was for, what happened when it ran, and what is wrong with it."""

    problem: Problem
    completion: Completion
    execution: Execution
    analysis: Degeneration

    @property
    def looping_tokens(self) -> int:
        """How many tokens the loop covers, in proportion where it was found on the characters; 0 without a loop."""
        return round((self.analysis.share or 0.0) * len(self.completion.token_ids))

    @property
    def onset_token(self) -> int | None:
        """Index of the token at which the loop begins, in proportion where it was found on the characters."""
        loop = self.analysis.loop
        if loop is None:
            return None
        if loop.unit == "token":
            return loop.onset
        return loop.onset * len(self.completion.token_ids) // max(1, len(self.completion.text))


@dataclass(frozen=True, slots=True)
class Evidence:
    """All completions by problem set, the logged losses, and what a token id is as text."""

    scored: Mapping[str, tuple[Scored, ...]]
    log: tuple[LossPoint, ...]
    token_text: Callable[[int], str]

    def all_scored(self) -> Iterator[Scored]:
        """Every completion of every problem set."""
        for members in self.scored.values():
            yield from members
