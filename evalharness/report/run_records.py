"""What the report of a run is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.report.behaviour import Block, Shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.frames import RunFrames
    from evalharness.records import Scorecard


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
    the last step, ``questions`` what each probe asks.
    """

    frames: RunFrames
    name: str
    path: str
    facts: tuple[tuple[str, str, str], ...]
    failures: tuple[tuple[int, str], ...]
    others: tuple[OtherRun, ...]
    examples: tuple[Shown, ...]
    questions: Mapping[str, str]

    @property
    def last(self) -> Scorecard:
        """The scorecard of the last step."""
        return self.frames.scorecards[max(self.frames.scorecards)]

    @property
    def last_step(self) -> int:
        """The last scored step."""
        return max(self.frames.scorecards)


def shown_from(row: Mapping[str, Any]) -> Shown:
    """One laid-out completion, from its row in ``examples.jsonl``."""
    blocks = {name: Block(**row[name]) for name in ("prompt", "expected", "generated")}
    return Shown(heading=row["heading"], tokens=row["tokens"], facts=row["facts"], **blocks)
