"""The workers of one sandbox: who has what to do, who has had it for too long, and who must be replaced."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalharness.errors import SandboxError
from evalharness.records import DEFAULT_LANGUAGE, Execution, Verdict
from evalharness.sandbox import verdicts
from evalharness.sandbox.program import Job, message
from evalharness.sandbox.worker import Worker, WorkerDied, ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.sandbox.levels import Ground, Level
    from evalharness.sandbox.limits import Limits

# How often the clocks of long programs are looked at.
_TICK_S = 0.1
# A second job is sent ahead, so that a worker never waits for the caller.
_AHEAD = 2
_MOST_MEMORY_OF_JUDGE_KIB = 512 << 10
_GIVE_UP_AFTER = 2
_TWICE = "ended the judge's process, twice"
# What passes between two looks counts as no more: the caller may have been away.
_LONGEST_STEP_S = 3 * _TICK_S
# From here on a program's waiting is measured: most end before, and a look at the clocks costs.
_WATCHED_FROM_S = 1.0
# However busy the machine is, a program is given up after this multiple of its limit.
_LONGEST_EXCUSE = 8


@dataclass(slots=True)
class Task:
    """One program on its way. ``key`` is its caller's name for it; ``losses`` how often a worker was lost over it.

    ``part`` is that of its tests on inputs at which it is, or was when it was lost.
    """

    job: Job
    key: str
    limits: Limits
    losses: int = 0
    part: str = "base"


@dataclass(slots=True)
class Seat:
    """A worker and the tasks it has. Empty until it is needed.

    ``age_s`` is for how long the first task has been seen to run: time during which nobody looked, because the caller
    was busy with other things, is not held against it. Nor is ``excused_s``, what it waited for a core or computed,
    for computing has a limit of its own; but the judge's computing counts, because a value can be made so that
    comparing it never ends.
    """

    number: int
    worker: Worker | None = None
    tasks: deque[Task] = field(default_factory=deque)
    age_s: float = 0.0
    excused_s: float = 0.0
    looked_s: float = 0.0
    clock_s: float | None = None

    def begin(self) -> None:
        """The first task's time starts now."""
        self.age_s, self.excused_s, self.looked_s, self.clock_s = 0.0, 0.0, time.monotonic(), None

    def is_overdue(self, worker: Worker) -> bool:
        """Whether the first task has waited for longer than it may."""
        now_s = time.monotonic()
        step_s = min(now_s - self.looked_s, _LONGEST_STEP_S)
        self.age_s += step_s
        self.looked_s = now_s
        if self.age_s < _WATCHED_FROM_S:
            return False
        clock_s, excused_now = worker.excused()
        if excused_now:
            self.excused_s += step_s
        elif self.clock_s is not None:
            self.excused_s += min(step_s, max(0.0, clock_s - self.clock_s))  # it falls when a thread ends
        self.clock_s = clock_s
        limits = self.tasks[0].limits
        longest_s = _LONGEST_EXCUSE * max(limits.wall_s, limits.cpu_s)
        return self.age_s - self.excused_s > limits.wall_s or self.age_s > longest_s


class Crew:
    """So many workers of one level, or fewer if no more can be started.

    ``give`` and ``collect`` until nobody is ``busy``; what ended comes from both.
    """

    def __init__(self, ground: Ground, level: Level, first: Worker, workers: int) -> None:
        self.seats = [Seat(number) for number in range(workers)]
        self.seats[0].worker = first
        self.again: deque[Task] = deque()
        self.alone: deque[Task] = deque()  # run again when nothing else runs
        self._ground = ground
        self._level = level

    @property
    def busy(self) -> bool:
        """Whether anything is still to end."""
        return bool(self.again or self.alone) or any(seat.tasks for seat in self.seats)

    @property
    def has_room(self) -> bool:
        """Whether one more task can be given."""
        return self._seat_with_room() is not None

    def give(self, task: Task) -> Iterator[tuple[Task, Execution]]:
        """Hand a task to the emptiest seat; yields its execution where that is known without a worker."""
        size, seat = task.job.size_bytes, self._seat_with_room()
        if size > task.limits.program_bytes:
            detail = f"the program has {size} bytes, {task.limits.program_bytes} are allowed"
            yield task, verdicts.not_run(task.job, Verdict.FAILED, detail)
        elif seat is None:
            self.again.appendleft(task)
        else:
            yield from self._hand_over(seat, task)

    def collect(self) -> list[tuple[Task, Execution]]:
        """Wait a little for replies; what ended, by itself or by the clock.

        All of it is looked at before the caller sees any: a caller who takes their time is not the programs' doing.
        """
        ended: list[tuple[Task, Execution]] = []
        if self.alone and not self.again and not any(seat.tasks for seat in self.seats):
            ended.extend(self._hand_over(self.seats[0], self.alone.popleft()))
        at_work = {worker.fileno(): (seat, worker) for seat, worker in self._at_work()}
        heard = ready([worker for _, worker in at_work.values()], _TICK_S) if at_work else set()
        ended.extend(each for fd in heard for each in self._hear(*at_work[fd]))
        for fd, (seat, worker) in at_work.items():
            if fd not in heard and seat.is_overdue(worker):
                task = seat.tasks.popleft()
                reply = {"verdict": "wall", "detail": "", "wall_s": seat.age_s, "part": task.part}
                self._vacate(seat)
                ended.append((task, verdicts.execution(task.job, reply, task.limits)))
        return ended

    def abandon(self) -> None:
        """Forget every task; whoever has one is killed."""
        self.again.clear()
        self.alone.clear()
        for seat in self.seats:
            if seat.tasks:
                seat.tasks.clear()
                self._vacate(seat)

    def dismiss(self) -> None:
        """End every worker."""
        self.abandon()
        for seat in self.seats:
            self._vacate(seat)

    def _seat_with_room(self) -> Seat | None:
        free = [seat for seat in self.seats if len(seat.tasks) < _AHEAD]
        return min(free, key=lambda seat: len(seat.tasks), default=None)

    def _at_work(self) -> Iterator[tuple[Seat, Worker]]:
        for seat in self.seats:
            if seat.worker is not None and seat.tasks:
                yield seat, seat.worker

    def _hand_over(self, seat: Seat, task: Task) -> Iterator[tuple[Task, Execution]]:
        try:
            if seat.worker is None:
                seat.worker = self._ground.start(self._level, seat.number)
            seat.worker.send(self._message(task))
        except SandboxError as error:
            if any(other.worker for other in self.seats):  # few processes are allowed: those that are there go on
                self.seats.remove(seat)
                self.again.append(task)
            else:
                yield task, verdicts.not_run(task.job, Verdict.NOT_JUDGED, str(error))
        except WorkerDied as error:
            self._vacate(seat)
            yield from self._lose(task, {"lost": str(error), "begun": False})
        else:
            if not seat.tasks:
                seat.begin()
            seat.tasks.append(task)

    def _message(self, task: Task) -> dict[str, Any]:
        inputs = self._ground.references.of(task.job.problem)
        other = self._ground.other
        is_other = other is not None and task.job.problem.language != DEFAULT_LANGUAGE
        interpreter = other.path if other is not None and is_other else ""
        return message(task.job, task.limits, careful=task.losses > 0, inputs=inputs, interpreter=interpreter)

    def _hear(self, seat: Seat, worker: Worker) -> Iterator[tuple[Task, Execution]]:
        try:
            replies = worker.replies()
        except WorkerDied as error:
            replies = [{"lost": str(error), "begun": True}]
        for reply in replies:
            if "begins" in reply:
                seat.tasks[0].part = reply["begins"]
                continue
            task = seat.tasks.popleft()
            seat.begin()
            if "lost" in reply:
                self._vacate(seat)
                yield from self._lose(task, reply)
                return
            if verdicts.was_killed_from_outside(reply) and not task.losses:
                task.losses += 1
                self.again.append(task)
            elif verdicts.was_refused_a_thread(reply) and not task.losses:
                task.losses += 1
                self.alone.append(task)
            else:
                yield task, verdicts.execution(task.job, reply, task.limits)
            if reply["judge_memory_kib"] > _MOST_MEMORY_OF_JUDGE_KIB:
                self._vacate(seat)
                return

    def _lose(self, task: Task, reply: dict[str, Any]) -> Iterator[tuple[Task, Execution]]:
        """A worker was lost over a task. Once may be somebody else's doing: it is run again, with more care."""
        task.losses += 1
        if task.losses < _GIVE_UP_AFTER:
            self.again.append(task)
        elif reply["begun"]:
            reply = {"verdict": "crashed", "detail": _TWICE, "part": task.part}
            yield task, verdicts.execution(task.job, reply, task.limits)
        else:
            yield task, verdicts.not_run(task.job, Verdict.NOT_JUDGED, reply["lost"])

    def _vacate(self, seat: Seat) -> None:
        """End a seat's worker; what it had not begun is to be done by another."""
        if seat.worker is not None:
            seat.worker.kill()
        seat.worker = None
        self.again.extend(seat.tasks)
        seat.tasks.clear()
