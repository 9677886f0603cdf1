"""What the report of a checkpoint is made from, beside the scorecard: its completions and the training log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from evalharness.records import DECODINGS, NOT_BEGUN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from evalharness.degeneration import Degeneration
    from evalharness.records import Completion, Execution, LossPoint, Problem
    from evalharness.runs.shown_beside import ProblemText

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Scored:
    """One completion with the problem that it was for, what happened when it ran, and what is wrong with it."""

    problem: Problem | ProblemText
    completion: Completion
    execution: Execution
    analysis: Degeneration


@dataclass(frozen=True, slots=True)
class Read:
    """One token of a passage of data, and its loss (nats) with the whole row in the input and with its prefix alone.

    Both losses are None for a token that is nobody's target.
    """

    text: str
    parallel_nats: float | None
    honest_nats: float | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All completions by problem set, the logged losses, what a token id is as text, and a passage read both ways.

    ``questions`` is what each probe of the catalogue asks, in the order in which they are asked.
    """

    scored: Mapping[str, tuple[Scored, ...]]
    log: tuple[LossPoint, ...]
    token_text: Callable[[int], str]
    passage: tuple[Read, ...] = ()
    questions: Mapping[str, str] = field(default_factory=dict)

    def all_scored(self) -> Iterator[Scored]:
        """Every completion of every problem set."""
        for members in self.scored.values():
            yield from members

    def begun(self) -> dict[str, list[Scored]]:
        """The completions that the model saw the prompt of, by decoding, for each decoding that has any."""
        begun: dict[str, list[Scored]] = {decoding: [] for decoding in DECODINGS}
        for scored in self.all_scored():
            if scored.completion.stop_reason not in NOT_BEGUN:
                begun[scored.completion.decoding].append(scored)
        return {decoding: members for decoding, members in begun.items() if members}


def by_problem(members: Iterable[Scored], value: Callable[[Scored], _Value]) -> dict[str, list[_Value]]:
    """Return the value of each completion by its problem, whatever the order of the completions."""
    values: dict[str, list[_Value]] = {}
    for scored in sorted(members, key=lambda s: (s.problem.task_id, s.completion.completion_id)):
        values.setdefault(scored.problem.task_id, []).append(value(scored))
    return values
