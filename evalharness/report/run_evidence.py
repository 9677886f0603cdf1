"""What the report of a run is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.records import NO_STEP
from evalharness.report.numbers import was_seen
from evalharness.report.shown_completions import Block, Shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evalharness.records import Scorecard
    from evalharness.runs.frames import RunFrames


@dataclass(frozen=True, slots=True)
class OtherRun:
    """Another run beside this one: its name, its last scored step, and that step's scorecard."""

    name: str
    step: int
    card: Scorecard


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that the report of a run is made of.

    ``facts`` are ``(section, name, value)``, ``failures`` ``(step, reason)``, ``examples`` the laid-out completions of
    the last step, ``questions`` what each probe asks, ``files`` the run's other files as ``(path, what it is)``.
    """

    frames: RunFrames
    name: str
    path: str
    facts: tuple[tuple[str, str, str], ...]
    failures: tuple[tuple[int, str], ...]
    others: tuple[OtherRun, ...]
    examples: tuple[Shown, ...]
    questions: Mapping[str, str]
    files: tuple[tuple[str, str], ...] = ()

    @property
    def last(self) -> Scorecard:
        """The scorecard of the last step."""
        return self.frames.scorecards[self.last_step]

    @property
    def last_step(self) -> int:
        """That of the frames."""
        return self.frames.last_step

    @property
    def steps(self) -> list[int]:
        """The scored steps in their order."""
        return in_order(self.frames.scorecards)

    @property
    def seen(self) -> bool:
        """Whether there was a model at the last step, and not only completions of another tool."""
        return was_seen(self.last)


def in_order(steps: Iterable[int]) -> list[int]:
    """Return the steps sorted; the one that is not recorded comes last."""
    return sorted(steps, key=lambda step: (step == NO_STEP, step))


def step_name(step: int) -> str:
    """Return ``"1,000"``, or that the step is not recorded."""
    return "not recorded" if step == NO_STEP else f"{step:,}"


def at_step(step: int) -> str:
    """Return ``"step 1,000"``, or that it is of no recorded step."""
    return "a step that is not recorded" if step == NO_STEP else f"step {step:,}"


def shown_from(row: Mapping[str, Any]) -> Shown:
    """One laid-out completion, from its row in ``examples.jsonl``."""
    blocks = {name: Block(**row[name]) for name in ("prompt", "expected", "generated")}
    # Older versions do not say whether it is degenerate, which no report needs.
    degenerate = bool(row.get("degenerate"))
    return Shown(heading=row["heading"], degenerate=degenerate, tokens=row["tokens"], facts=row["facts"], **blocks)
