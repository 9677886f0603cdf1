"""Where programs are judged: in a sandbox of this process, or by many elsewhere."""

from __future__ import annotations

import contextlib
import dataclasses
import heapq
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from evalharness.pipeline.completing import RECORD_FORMAT
from evalharness.pipeline.shared import Shared
from evalharness.records import DEFAULT_LANGUAGE
from evalharness.runs.cache import cache_folder, usable
from evalharness.runs.json_values import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from evalharness.progress import Watcher
    from evalharness.records import Execution, IsolationInfo, Problem
    from evalharness.sandbox import Calibration, Job, Limits, Sandbox
    from evalharness.settings.score import SandboxLevel

ORDERED = 200
"""So many programs are held to be put in order, of a file of any length."""


@dataclass(frozen=True, slots=True)
class SandboxChoice:
    """How programs are to be isolated: the settings of a score of these names, and of ``workers``."""

    workers: int | None
    level: SandboxLevel
    packages: tuple[str, ...]

    def opened(self, problems: Iterable[Problem]) -> Sandbox:
        """A sandbox that keeps the answers of canonical solutions, if there are tests on inputs."""
        from evalharness.sandbox import Sandbox

        problems = tuple(problems)
        has_inputs = any(problem.inputs for problem in problems)
        references: Path | None = usable(cache_folder(os.environ) / "answers") if has_inputs else None
        languages = {problem.language for problem in problems} - {DEFAULT_LANGUAGE}
        return Sandbox(
            workers=self.workers,
            packages=self.packages,
            level=self.level,
            references=references,
            languages=languages,
        )


@dataclass(frozen=True, slots=True)
class Conditions:
    """What decides at one place about a verdict, beside the program: walls, limits, and packages."""

    isolation: IsolationInfo
    fast: Limits
    calibration: Calibration
    packages: tuple[str, ...]

    def key(self, job: Job) -> str:
        """A digest of everything that could change the execution of ``job`` here."""
        limits = dataclasses.asdict(self.calibration.limits(self.fast, job.task_id))
        return digest([RECORD_FORMAT, job.fingerprint, limits, self.isolation.level, self.packages])


@dataclass(frozen=True, slots=True)
class Ruling:
    """The execution of the job with a number, and its key under the conditions of where it was judged."""

    number: int
    key: str
    execution: Execution


class Judges(Protocol):
    """Whoever judges programs. ``places`` has the conditions of each place that differs from the others."""

    @property
    def places(self) -> Sequence[Conditions]:
        """Where programs are judged."""
        ...

    def run(self, jobs: Iterable[tuple[int, Job]]) -> Iterator[Ruling]:
        """Yield a ruling for each numbered job, in no particular order. Jobs are taken as there is room for them."""
        ...


@dataclass(frozen=True, slots=True)
class OwnJudges:
    """The workers of one sandbox of this process."""

    box: Sandbox
    conditions: Conditions

    @property
    def places(self) -> tuple[Conditions]:
        """This machine."""
        return (self.conditions,)

    def run(self, jobs: Iterable[tuple[int, Job]]) -> Iterator[Ruling]:
        """See `Judges`."""
        under_way: dict[int, Job] = {}

        def numbered() -> Iterator[Job]:
            # By number: two jobs may be of one task and have one id, as a greedy and a sampled one do.
            for number, job in jobs:
                under_way[number] = job
                yield dataclasses.replace(job, completion_id=number)

        for execution in self.box.run(dearest_first(numbered(), self.box.seconds_of)):
            job = under_way.pop(execution.completion_id)
            yield Ruling(execution.completion_id, self.conditions.key(job), of_job(execution, job))


def dearest_first(jobs: Iterable[Job], seconds_of: Callable[[Problem], float]) -> Iterator[Job]:
    """The jobs; of any ``ORDERED`` that stand together those come first whose canonical solution takes longest.

    So none that takes seconds is begun when the others have ended. Jobs that take alike keep their order, and those of
    which nobody knows it are not held.
    """
    seconds: dict[str, float] = {}
    near: list[tuple[float, int, Job]] = []
    for number, job in enumerate(jobs):
        if job.task_id not in seconds:
            seconds[job.task_id] = seconds_of(job.problem)
        if not seconds[job.task_id]:
            yield job
            continue
        heapq.heappush(near, (-seconds[job.task_id], number, job))
        if len(near) > ORDERED:
            yield heapq.heappop(near)[2]
    while near:
        yield heapq.heappop(near)[2]


def of_job(execution: Execution, job: Job) -> Execution:
    """The execution under the names of ``job``."""
    return dataclasses.replace(execution, task_id=job.task_id, completion_id=job.completion_id)


@contextlib.contextmanager
def own_judges(
    choice: SandboxChoice, problems: Sequence[Problem], watcher: Watcher, shared: Shared | None = None
) -> Iterator[OwnJudges]:
    """A sandbox of this process, calibrated by ``problems`` unless ``shared`` knows how that went.

    Raises SandboxError if programs can't be isolated here.
    """
    with choice.opened(problems) as box:
        watcher.stage("calibrating", 1)
        kind = (box.isolation.level, choice.packages, choice.workers)
        calibration = (shared or Shared()).calibration(problems, kind, lambda: calibrated(box, problems))
        box.allow(calibration)
        yield OwnJudges(box, conditions(box, choice, calibration))


def calibrated(box: Sandbox, problems: Sequence[Problem]) -> Calibration:
    """Measure how fast programs run in a sandbox, by the canonical solutions of ``problems`` and of known ones."""
    from evalharness.problems import yardsticks
    from evalharness.sandbox import YARDSTICKS

    return box.calibrate(problems, yardsticks(YARDSTICKS))


def conditions(box: Sandbox, choice: SandboxChoice, calibration: Calibration) -> Conditions:
    """The conditions of a sandbox."""
    return Conditions(box.isolation.info, box.limits, calibration, choice.packages)
