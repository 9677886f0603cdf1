"""The sandbox as the rest sees it: jobs in, executions out, identical programs run once."""

from __future__ import annotations

import itertools
import secrets
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from evalharness.errors import SandboxError
from evalharness.records import DEFAULT_LANGUAGE, Execution, Verdict
from evalharness.sandbox import javascript, levels, verdicts
from evalharness.sandbox.calibration import NEEDS_IN_PROCESS, calibrate
from evalharness.sandbox.clocks import usable_cores
from evalharness.sandbox.crew import Crew, Task
from evalharness.sandbox.levels import Ground, Isolation, Level
from evalharness.sandbox.limits import Limits
from evalharness.sandbox.program import Job
from evalharness.sandbox.references import References
from evalharness.sandbox.removal import remove_folder, undisturbed
from evalharness.sandbox.view import view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evalharness.records import Problem
    from evalharness.sandbox.calibration import Calibration

# While the limits are being measured, ten times as much is allowed: the machine may be slow.
_TIME_TO_CALIBRATE = 10
# So many jobs are held at a time, for all of those that come may have the program that is running.
_MOST_WAITING = 1000
# Executions of so many programs are kept, for those that are the same; then the oldest are forgotten.
_MOST_KNOWN = 100_000


class Sandbox:
    """Runs programs, each in a process of its own behind walls, judged by another. Use it in a ``with`` block.

    ``workers`` programs run at a time (default: one for each core that may be used). ``interpreter`` is the Python to
    run them with, ``packages`` what they may import beside its library. ``level`` is the isolation: ``auto`` for the
    best that holds here, a letter for that one alone, ``none`` for running programs with this user's rights.
    ``isolation`` tells what it came to, once entered. ``references`` is a folder that keeps what canonical solutions
    answered to tests on inputs; without it they answer anew in each sandbox. ``languages`` are those of the programs,
    beside Python.

    Raises:
        SandboxError: on entering, where no temporary folder can be made or programs can't be isolated.
    """

    isolation: Isolation

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        workers: int | None = None,
        interpreter: str = sys.executable,
        packages: tuple[str, ...] = (),
        level: Level | Literal["auto", "none"] = "auto",
        deduplicate: bool = True,
        references: Path | None = None,
        languages: Iterable[str] = (),
    ) -> None:
        self.limits = limits or Limits()
        self.workers = workers or usable_cores()
        self.distinct_programs = 0
        self._interpreter = interpreter
        self._packages = packages
        self._level: Level | Literal["auto"] = "D" if level == "none" else level
        self._deduplicate = deduplicate
        self._references = references
        self._languages = frozenset(languages)
        self._limits_of: Callable[[str], Limits] = lambda _: self.limits
        self._known: dict[str, Execution] = {}
        self._in_process: frozenset[str] = frozenset()
        self._sharing: frozenset[str] = frozenset()
        self._numbers = itertools.count()
        self._crew: Crew | None = None
        self._root: Path | None = None

    def __enter__(self) -> Self:
        view = view_of(self._interpreter, self._packages)
        other = javascript.interpreter() if javascript.NAME in self._languages else None
        if other is not None:
            view = view._replace(files=(*view.files, *other.files))
        try:
            root = self._make_root()
            answers = root / "answers"
            answers.mkdir()
            references = References(self._references or answers, root, (self._interpreter, *self._packages))
            ground = Ground(
                root,
                self._interpreter,
                view,
                self.limits,
                self._packages,
                # With fewer workers another sandbox may be at work beside this one, and both would take the same cores.
                pinned=self.workers >= usable_cores(),
                references=references,
                other=other,
            )
            self._known_answers = references
            self.isolation, first = levels.choose(ground, self._level)
            self._crew = Crew(ground, self.isolation.level, first, self.workers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make_root(self) -> Path:
        try:
            # Named before it is made: a signal in between would otherwise leave a folder that nobody knows.
            self._root = Path(tempfile.gettempdir()).resolve() / f"evalharness-{secrets.token_hex(8)}"
            self._root.mkdir()
            self._root.chmod(0o711)  # a program's own user passes through it to its folder
        except OSError as error:
            raise SandboxError(f"no folder to run programs in: {error}") from error
        return self._root

    def __exit__(self, *_: object) -> None:
        with undisturbed():
            if self._crew is not None:
                self._crew.dismiss()
            if self._root is not None:
                remove_folder(self._root)
            self._crew = self._root = None

    def calibrate(self, problems: Sequence[Problem], yardsticks: Sequence[Problem]) -> Calibration:
        """Measure this machine by canonical solutions; from now on programs are allowed the time that follows."""
        self._limits_of = lambda _: self.limits.slower(_TIME_TO_CALIBRATE)
        known = self._known_answers
        unknown = [problem for problem in problems if problem.inputs is None or not known.has(problem)]
        calibration = calibrate(self.run, self.limits.cpu_s, unknown, yardsticks)
        self._known.clear()
        self.distinct_programs = 0
        self.allow(calibration)
        return calibration

    def allow(self, calibration: Calibration) -> None:
        """Allow programs the time that a calibration says, and judge each problem in the way that it found."""
        self._in_process = calibration.in_process
        self._sharing = calibration.sharing
        self._limits_of = lambda task_id: calibration.limits(self.limits, task_id)

    def limits_of(self, task_id: str) -> Limits:
        """What a program for this problem may use."""
        return self._limits_of(task_id)

    def seconds_of(self, problem: Problem) -> float:
        """The CPU time that the canonical solution took over tests on inputs; 0 where nobody knows."""
        return self._known_answers.seconds(problem)

    def run(self, jobs: Iterable[Job]) -> Iterator[Execution]:
        """Yield one execution for each job, in the order in which they end.

        Jobs are taken as workers become free. A program that was run before in this sandbox is not run again: its
        execution is given under the new ``task_id`` and ``completion_id``. Whatever goes wrong with a job on the
        harness's side is that job's ``not_judged``. Stopping early kills what still runs.

        Raises:
            SandboxError: outside the ``with`` block.
        """
        if self._crew is None:
            raise SandboxError("Sandbox.run needs the sandbox's with block")
        try:
            yield from self._run(self._crew, iter(jobs))
        finally:
            self._crew.abandon()

    def _run(self, crew: Crew, jobs: Iterator[Job]) -> Iterator[Execution]:
        waiting: dict[str, list[Job]] = {}
        exhausted = False
        while not exhausted or crew.busy:
            while crew.has_room and crew.again:
                yield from self._settle(crew.give(crew.again.popleft()), waiting)
            while crew.has_room and not exhausted and _held(waiting) < _MOST_WAITING:
                job = next(jobs, None)
                if job is None:
                    exhausted = True
                    continue
                if job.task_id in self._in_process and job.problem.judged == "apart":
                    yield verdicts.not_run(job, Verdict.NOT_JUDGED, NEEDS_IN_PROCESS)
                    continue
                if job.task_id in self._sharing and job.problem.judged == "apart":
                    job = replace(job, shares=True)
                if job.problem.language not in {DEFAULT_LANGUAGE, *self._languages}:
                    yield verdicts.not_run(job, Verdict.NOT_JUDGED, f"no interpreter for {job.problem.language}")
                    continue
                key = job.fingerprint if self._deduplicate else str(next(self._numbers))
                if key in self._known:
                    yield _for_job(self._known[key], job)
                elif key in waiting:
                    waiting[key].append(job)
                else:
                    waiting[key] = [job]
                    limits = self.limits_of(job.task_id)
                    task = Task(job, key, limits if job.problem.inputs is None else limits.for_input_tests())
                    yield from self._settle(crew.give(task), waiting)
            yield from self._settle(crew.collect(), waiting)

    def _settle(self, ended: Iterable[tuple[Task, Execution]], waiting: dict[str, list[Job]]) -> Iterator[Execution]:
        """The execution of each program, for every job that waits for it. The harness's own trouble is not kept."""
        for task, execution in ended:
            if execution.verdict is not Verdict.NOT_JUDGED:
                self.distinct_programs += 1
                if self._deduplicate:
                    self._keep(task.key, execution)
            for job in waiting.pop(task.key):
                yield _for_job(execution, job)

    def _keep(self, key: str, execution: Execution) -> None:
        self._known[key] = execution
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]


def execute_one(problem: Problem, text: str, limits: Limits | None = None) -> Execution:
    """Run one completion, as ``completion_id`` 0, in a sandbox of its own.

    Raises:
        SandboxError: programs can't be isolated here.
    """
    with Sandbox(limits=limits, workers=1) as sandbox:
        return next(sandbox.run([Job(problem.task_id, 0, problem, text)]))


def _held(waiting: dict[str, list[Job]]) -> int:
    """Jobs that wait for the execution of a program that is under way."""
    return sum(map(len, waiting.values()))


def _for_job(execution: Execution, job: Job) -> Execution:
    return replace(execution, task_id=job.task_id, completion_id=job.completion_id)
