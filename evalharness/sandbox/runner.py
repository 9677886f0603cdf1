"""The sandbox as the rest sees it: jobs in, executions out, identical programs run once."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from evalharness.errors import SandboxError
from evalharness.records import Execution, Verdict
from evalharness.sandbox.child import run_program
from evalharness.sandbox.folder import remove_folder
from evalharness.sandbox.judge import judge
from evalharness.sandbox.limits import Limits
from evalharness.sandbox.processes import tasks_of_user
from evalharness.sandbox.program import Job, encode, program_fingerprint, program_for
from evalharness.sandbox.spawn import Host

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evalharness.records import Problem

# RLIMIT_NPROC counts everything that the user runs, so it can only bound a bomb, never be the limit of one program.
_SPARE_TASKS = 1024


class Sandbox:
    """Runs programs, each in a fresh interpreter. Use it in a ``with`` block; leaving it leaves nothing behind.

    ``workers`` programs run at a time (default: one for each core that may be used). ``interpreter`` is the Python to
    run them with. ``isolation`` names the level, ``isolation_lacks`` says in a sentence what it does not hold off.

    Raises:
        SandboxError: on entering, where no temporary folder can be made.
    """

    isolation = "process"
    isolation_lacks = (
        "A program is limited and cleaned up after, but it can read and write what this user can, reach the network, "
        "and is judged inside its own process."
    )

    def __init__(
        self, *, limits: Limits | None = None, workers: int | None = None, interpreter: str = sys.executable
    ) -> None:
        self.limits = limits or Limits()
        self.workers = workers or usable_cores()
        self.distinct_programs = 0
        self._interpreter = interpreter
        self._known: dict[str, Execution] = {}
        self._numbers = itertools.count()
        self._root: Path | None = None

    def __enter__(self) -> Self:
        try:
            self._root = Path(tempfile.mkdtemp(prefix="evalharness-")).resolve()
        except OSError as error:
            raise SandboxError(f"no folder to run programs in: {error}") from error
        self._host = Host(self._interpreter, self.limits, _task_ceiling())
        return self

    def __exit__(self, *_: object) -> None:
        if self._root is not None:
            remove_folder(self._root)
            self._root = None

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
        cancelled = threading.Event()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="sandbox")
        try:
            yield from self._run_with(pool, iter(jobs), cancelled)
        finally:
            cancelled.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _run_with(
        self, pool: ThreadPoolExecutor, jobs: Iterator[Job], cancelled: threading.Event
    ) -> Iterator[Execution]:
        running: dict[Future[Execution], str] = {}
        waiting: dict[str, list[Job]] = {}
        for job in itertools.chain(jobs, itertools.repeat(None)):
            if job is not None:
                digest = program_fingerprint(job.problem, job.text)
                if digest in self._known:
                    yield _for_job(self._known[digest], job)
                elif digest in waiting:
                    waiting[digest].append(job)
                else:
                    waiting[digest] = [job]
                    running[self._start(pool, job, cancelled)] = digest
            elif not running:
                return
            # One more than there are workers, so that none waits while the caller handles a result.
            while len(running) > self.workers or (job is None and running):
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    digest = running.pop(future)
                    yield from self._settle(future, digest, waiting.pop(digest))

    def _start(self, pool: ThreadPoolExecutor, job: Job, cancelled: threading.Event) -> Future[Execution]:
        try:
            return pool.submit(self._execute, job, cancelled)
        except RuntimeError as error:  # no thread could be started
            failed: Future[Execution] = Future()
            failed.set_exception(error)
            return failed

    def _settle(self, future: Future[Execution], digest: str, jobs: list[Job]) -> Iterator[Execution]:
        """The execution of one program, for every job that waits for it. The harness's own trouble is not kept."""
        error = future.exception()
        execution = _not_judged(jobs[0], error) if error else future.result()
        if execution.verdict is not Verdict.NOT_JUDGED:
            self._known[digest] = execution
            self.distinct_programs += 1
        for job in jobs:
            yield _for_job(execution, job)

    def _execute(self, job: Job, cancelled: threading.Event) -> Execution:
        program = encode(program_for(job.problem, job.text))
        if len(program) > self.limits.program_bytes:
            detail = f"the program has {len(program)} bytes, {self.limits.program_bytes} are allowed"
            return Execution(job.task_id, job.completion_id, Verdict.FAILED, detail, "not_run", 0.0, 0.0, 0)
        assert self._root is not None  # noqa: S101 - for the type checker: run has seen to it
        folder = self._root / str(next(self._numbers))
        ending = run_program(program, folder=folder, host=self._host, cancelled=cancelled)
        judgement = judge(ending, self.limits)
        return Execution(
            task_id=job.task_id,
            completion_id=job.completion_id,
            verdict=judgement.verdict,
            detail=judgement.detail,
            judged="not_run" if judgement.verdict is Verdict.NOT_JUDGED else "in_process",
            wall_s=ending.wall_s,
            cpu_s=ending.cpu_s,
            peak_memory_bytes=judgement.peak_memory_bytes,
        )


def execute_one(problem: Problem, text: str, limits: Limits | None = None) -> Execution:
    """Run one completion, as ``completion_id`` 0, in a sandbox of its own.

    Raises:
        SandboxError: no temporary folder can be made.
    """
    with Sandbox(limits=limits, workers=1) as sandbox:
        return next(sandbox.run([Job(problem.task_id, 0, problem, text)]))


def _for_job(execution: Execution, job: Job) -> Execution:
    return replace(execution, task_id=job.task_id, completion_id=job.completion_id)


def _not_judged(job: Job, error: BaseException) -> Execution:
    detail = f"{type(error).__name__}: {error}"
    return Execution(job.task_id, job.completion_id, Verdict.NOT_JUDGED, detail, "not_run", 0.0, 0.0, 0)


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _task_ceiling() -> int:
    tasks = tasks_of_user()
    return tasks + _SPARE_TASKS if tasks else 0
