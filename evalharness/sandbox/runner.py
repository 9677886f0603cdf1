"""The sandbox as the rest sees it: jobs in, executions out, identical programs run once."""

from __future__ import annotations

import itertools
import select
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from evalharness.errors import SandboxError
from evalharness.records import Execution, Verdict
from evalharness.sandbox import levels, verdicts
from evalharness.sandbox.calibration import calibrate
from evalharness.sandbox.clocks import usable_cores
from evalharness.sandbox.folder import remove_folder
from evalharness.sandbox.levels import Ground, Isolation, Level
from evalharness.sandbox.limits import Limits
from evalharness.sandbox.program import Job, message
from evalharness.sandbox.view import view_of
from evalharness.sandbox.worker import Worker, WorkerDied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evalharness.records import Problem
    from evalharness.sandbox.calibration import Calibration

# How often the clocks of long programs are looked at.
_TICK_S = 0.1
# A second job is sent ahead, so that a worker never waits for the caller, as long as the socket's buffer holds it.
_AHEAD = 2
_SMALL_BYTES = 1 << 16
_MOST_MEMORY_OF_JUDGE_KIB = 512 << 10
_GIVE_UP_AFTER = 2
# From here on a program's waiting is measured: most end before, and a look at the clocks costs.
_WATCHED_FROM_S = 1.0
# However busy the machine is, a program is given up after so many times its limit.
_LONGEST_EXCUSE = 8
# While the limits are being measured, ten times as much is allowed: the machine may be slow.
_TIME_TO_CALIBRATE = 10


@dataclass(slots=True)
class _Task:
    """One program on its way: what is to be said to a worker, and how often a worker was lost over it."""

    job: Job
    digest: str
    losses: int = 0


@dataclass(slots=True)
class _Seat:
    """A worker and the tasks it has; ``started_s`` is when it began on the first of them. Empty until it is needed."""

    number: int
    worker: Worker | None = None
    tasks: deque[_Task] = field(default_factory=deque)
    started_s: float = 0.0
    clock_s: float | None = None
    excused_s: float = 0.0
    full: bool = False

    def begin(self) -> None:
        """The first task's time starts now."""
        self.started_s, self.clock_s, self.excused_s = time.monotonic(), None, 0.0

    def excuse(self, clock_s: float) -> None:
        """Take what was computed or waited for a core since the last look; the clock falls when a process ends."""
        self.excused_s += max(0.0, clock_s - self.clock_s) if self.clock_s is not None else 0.0
        self.clock_s = clock_s


class Sandbox:
    """Runs programs, each in a process of its own behind walls, judged by another. Use it in a ``with`` block.

    ``workers`` programs run at a time (default: one for each core that may be used). ``interpreter`` is the Python to
    run them with, ``packages`` what they may import beside its library. ``level`` is the isolation: ``auto`` for the
    best that holds here, a letter for that one alone, ``none`` for running programs with this user's rights.
    ``isolation`` tells what it came to, once entered.

    Raises:
        SandboxError: on entering, where no temporary folder can be made or programs can't be isolated.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        workers: int | None = None,
        interpreter: str = sys.executable,
        packages: tuple[str, ...] = (),
        level: Level | Literal["auto", "none"] = "auto",
        deduplicate: bool = True,
    ) -> None:
        self.limits = limits or Limits()
        self.workers = workers or usable_cores()
        self.distinct_programs = 0
        self._interpreter = interpreter
        self._packages = packages
        self._level: Level | Literal["auto"] = "D" if level == "none" else level
        self._deduplicate = deduplicate
        self._limit_of: Callable[[str], Limits] = lambda _: self.limits
        self._known: dict[str, Execution] = {}
        self._numbers = itertools.count()
        self._seats: list[_Seat] = []
        self._root: Path | None = None

    def __enter__(self) -> Self:
        view = view_of(self._interpreter, self._packages)
        try:
            self._root = Path(tempfile.mkdtemp(prefix="evalharness-")).resolve()
            self._root.chmod(0o711)  # a program's own user passes through it to its folder
        except OSError as error:
            raise SandboxError(f"no folder to run programs in: {error}") from error
        self._ground = Ground(self._root, self._interpreter, view, self.limits, self._packages)
        try:
            self.isolation, first = levels.choose(self._ground, self._level)
        except BaseException:
            self._remove_root()
            raise
        self._seats = [_Seat(number) for number in range(self.workers)]
        self._seats[0].worker = first
        return self

    isolation: Isolation
    """What holds programs in this sandbox; known once it is entered."""

    def __exit__(self, *_: object) -> None:
        for seat in self._seats:
            self._vacate(seat)
        self._seats = []
        self._remove_root()

    def calibrate(self, problems: Sequence[Problem], yardsticks: Sequence[Problem]) -> Calibration:
        """Measure this machine by canonical solutions; from now on programs are allowed the time that follows."""
        self._limit_of = lambda _: self.limits.slower(_TIME_TO_CALIBRATE)
        calibration = calibrate(self, problems, yardsticks)
        self._known.clear()
        self.distinct_programs = 0
        self._limit_of = lambda task_id: self.limits.slower(calibration.limit_s(task_id) / self.limits.cpu_s)
        return calibration

    def limits_of(self, task_id: str) -> Limits:
        """What a program for this problem may use."""
        return self._limit_of(task_id)

    def run(self, jobs: Iterable[Job]) -> Iterator[Execution]:
        """Yield one execution for each job, in the order in which they end.

        Jobs are taken as workers become free. A program that was run before in this sandbox is not run again: its
        execution is given under the new ``task_id`` and ``completion_id``. Whatever goes wrong with a job on the
        harness's side is that job's ``not_judged``. Stopping early kills what still runs.

        Raises:
            SandboxError: outside the ``with`` block.
        """
        if self._root is None:
            raise SandboxError("Sandbox.run needs the sandbox's with block")
        try:
            yield from self._run(iter(jobs))
        finally:
            for seat in self._seats:
                if seat.tasks:
                    self._vacate(seat)

    def _run(self, jobs: Iterator[Job]) -> Iterator[Execution]:
        waiting: dict[str, list[Job]] = {}
        again: deque[_Task] = deque()
        exhausted = False
        while True:
            while (seat := self._free_seat()) is not None and (again or not exhausted):
                if again:
                    task = again.popleft()
                else:
                    job = next(jobs, None)
                    if job is None:
                        exhausted = True
                        continue
                    if (known := self._known_execution(job, waiting)) is not None:
                        yield from known
                        continue
                    task = self._task(job, waiting)
                for done, execution in self._give(seat, task, again):
                    yield from self._settle(done, execution, waiting)
            if not any(seat.tasks for seat in self._seats) and not again:
                return
            for done, execution in self._collect(again):
                yield from self._settle(done, execution, waiting)

    def _known_execution(self, job: Job, waiting: dict[str, list[Job]]) -> list[Execution] | None:
        """The execution of an identical program; an empty list while that one is still running; None for a new one."""
        if not self._deduplicate:
            return None
        digest = job.fingerprint
        if digest in self._known:
            return [_for_job(self._known[digest], job)]
        if digest in waiting:
            waiting[digest].append(job)
            return []
        return None

    def _task(self, job: Job, waiting: dict[str, list[Job]]) -> _Task:
        digest = job.fingerprint if self._deduplicate else str(next(self._numbers))
        waiting[digest] = [job]
        return _Task(job, digest)

    def _settle(self, task: _Task, execution: Execution, waiting: dict[str, list[Job]]) -> Iterator[Execution]:
        """The execution of one program, for every job that waits for it. The harness's own trouble is not kept."""
        if execution.verdict is not Verdict.NOT_JUDGED:
            self.distinct_programs += 1
            if self._deduplicate:
                self._known[task.digest] = execution
        for job in waiting.pop(task.digest):
            yield _for_job(execution, job)

    def _free_seat(self) -> _Seat | None:
        """The emptiest seat with room for one more task."""
        free = [seat for seat in self._seats if len(seat.tasks) < _AHEAD and not seat.full]
        return min(free, key=lambda seat: len(seat.tasks), default=None)

    def _give(self, seat: _Seat, task: _Task, again: deque[_Task]) -> Iterator[tuple[_Task, Execution]]:
        """Hand a task to a worker; yields an execution where that is known without one."""
        size = task.job.size_bytes
        if size > self.limits.program_bytes:
            detail = f"the program has {size} bytes, {self.limits.program_bytes} are allowed"
            yield task, verdicts.not_run(task.job, Verdict.FAILED, detail)
            return
        if size > _SMALL_BYTES and seat.tasks:
            # It could fill the socket's buffer and have this process wait while nobody looks at the clocks.
            again.appendleft(task)
            seat.full = True
            return
        try:
            if seat.worker is None:
                seat.worker = self._ground.start(self.isolation.level, seat.number)
            seat.worker.send(message(task.job, self._limits(task), careful=task.losses > 0))
        except SandboxError as error:
            yield task, verdicts.not_run(task.job, Verdict.NOT_JUDGED, str(error))
            return
        except WorkerDied as error:
            self._vacate(seat, again)
            yield from self._lose(task, {"lost": str(error), "begun": False}, again)
            return
        if not seat.tasks:
            seat.begin()
        seat.tasks.append(task)
        seat.full = size > _SMALL_BYTES

    def _collect(self, again: deque[_Task]) -> list[tuple[_Task, Execution]]:
        """Wait a little for replies; what ended, by itself or by the clock.

        All of it is looked at before the caller sees any: a caller who takes their time is not the programs' doing.
        """
        busy = {seat.worker.fileno(): seat for seat in self._seats if seat.worker and seat.tasks}
        if not busy:
            return []
        ready, _, _ = select.select(busy, [], [], _TICK_S)
        ended = [each for fd in ready for each in self._hear(busy[fd], again)]
        for fd, seat in busy.items():
            if fd not in ready and seat.tasks and self._is_overdue(seat):
                task = seat.tasks.popleft()
                reply = {"verdict": "wall", "detail": "", "wall_s": time.monotonic() - seat.started_s}
                self._vacate(seat, again)
                ended.append((task, verdicts.execution(task.job, reply, self._limits(task))))
        return ended

    def _hear(self, seat: _Seat, again: deque[_Task]) -> Iterator[tuple[_Task, Execution]]:
        assert seat.worker is not None  # noqa: S101 - for the type checker: only busy seats are heard
        try:
            replies = seat.worker.replies()
        except WorkerDied as error:
            task = seat.tasks.popleft()
            self._vacate(seat, again)
            yield from self._lose(task, {"lost": str(error), "begun": True}, again)
            return
        for reply in replies:
            task = seat.tasks.popleft()
            seat.begin()
            seat.full = False
            if "lost" in reply:
                self._vacate(seat, again)
                yield from self._lose(task, reply, again)
                return
            if verdicts.was_killed_from_outside(reply) and not task.losses:
                task.losses += 1
                again.append(task)
            else:
                yield task, verdicts.execution(task.job, reply, self._limits(task))
            if reply["judge_memory_kib"] > _MOST_MEMORY_OF_JUDGE_KIB:
                self._vacate(seat, again)
                return

    def _limits(self, task: _Task) -> Limits:
        return self._limit_of(task.job.task_id)

    def _lose(self, task: _Task, reply: dict[str, Any], again: deque[_Task]) -> Iterator[tuple[_Task, Execution]]:
        """A worker was lost over a task. Once may be somebody else's doing: it is run again, with more care."""
        task.losses += 1
        if task.losses < _GIVE_UP_AFTER:
            again.append(task)
        elif reply["begun"]:
            yield task, verdicts.execution(task.job, {"verdict": "crashed", "detail": _TWICE}, self._limits(task))
        else:
            yield task, verdicts.not_run(task.job, Verdict.NOT_JUDGED, reply["lost"])

    def _is_overdue(self, seat: _Seat) -> bool:
        """Whether the first task has waited for longer than it may, not counting what it waited for a core.

        The judge's own computing does count: a value can be made so that comparing it never ends. The program's is
        limited apart, by its own clock.
        """
        assert seat.worker is not None  # noqa: S101 - for the type checker: only busy seats are looked at
        elapsed_s = time.monotonic() - seat.started_s
        if elapsed_s < _WATCHED_FROM_S:
            return False
        seat.excuse(seat.worker.excused_s())
        limits = self._limits(seat.tasks[0])
        longest_s = _LONGEST_EXCUSE * max(limits.wall_s, limits.cpu_s)
        return elapsed_s - seat.excused_s > limits.wall_s or elapsed_s > longest_s

    def _vacate(self, seat: _Seat, again: deque[_Task] | None = None) -> None:
        """End a seat's worker; what it had not begun goes to ``again``."""
        if seat.worker is not None:
            seat.worker.kill()
        seat.worker, seat.full = None, False
        if again is not None:
            again.extend(seat.tasks)
        seat.tasks.clear()

    def _remove_root(self) -> None:
        if self._root is not None:
            remove_folder(self._root)
            self._root = None


_TWICE = "ended the judge's process, twice"


def execute_one(problem: Problem, text: str, limits: Limits | None = None) -> Execution:
    """Run one completion, as ``completion_id`` 0, in a sandbox of its own.

    Raises:
        SandboxError: programs can't be isolated here.
    """
    with Sandbox(limits=limits, workers=1) as sandbox:
        return next(sandbox.run([Job(problem.task_id, 0, problem, text)]))


def _for_job(execution: Execution, job: Job) -> Execution:
    return replace(execution, task_id=job.task_id, completion_id=job.completion_id)
