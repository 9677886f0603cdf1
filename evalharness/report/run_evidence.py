"""What the report of a whole run is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalharness.records import NO_STEP
from evalharness.report.loss_verdict import was_seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evalharness.records import Scorecard
    from evalharness.report.shown_completions import Example
    from evalharness.runs.frames import RunFrames
    from evalharness.runs.run_record import DataFile


@dataclass(frozen=True, slots=True)
class OtherRun:
    """Another run beside this one: its name, its last scored step, and that step's scorecard."""

    name: str
    step: int
    card: Scorecard


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that the report of a run is made from.

    ``facts`` are ``(section, name, value)``, ``failures`` ``(step, reason)``, ``examples`` completions of the last
    step, ``questions`` what each probe asks, ``not_worth_trying`` what is in vain once a probe has ruled out what it
    asks, ``files`` the run's other files as ``(path, what it is)``. ``data``, ``inputs`` and ``checkpoints`` are as in
    :class:`~evalharness.runs.run_record.RunRecord`.
    """

    frames: RunFrames
    name: str
    path: str
    facts: tuple[tuple[str, str, str], ...]
    failures: tuple[tuple[int, str], ...]
    others: tuple[OtherRun, ...]
    examples: tuple[Example, ...]
    questions: Mapping[str, str]
    files: tuple[tuple[str, str], ...] = ()
    not_worth_trying: Mapping[str, str] = field(default_factory=dict)
    data: tuple[DataFile, ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()
    checkpoints: Mapping[int, str] = field(default_factory=dict)

    @property
    def last(self) -> Scorecard:
        """The scorecard of the last step."""
        return self.frames.scorecards[self.last_step]

    @property
    def last_step(self) -> int:
        """The last scored step."""
        return self.frames.last_step

    @property
    def steps(self) -> list[int]:
        """The scored steps in their order."""
        return in_order(self.frames.scorecards)

    def fact(self, section: str, name: str) -> str | None:
        """One of the facts; None if there is none of that name."""
        return next((value for of, called, value in self.facts if (of, called) == (section, name)), None)

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
    """Return ``"step 1,000"``, or that the step is not recorded."""
    return "a step that is not recorded" if step == NO_STEP else f"step {step:,}"
