"""An execution for each completion: identical programs once, and none that the journal already knows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from evalharness.pipeline.completing import RECORD_FORMAT, digest
from evalharness.records import NOT_BEGUN, Completion, Execution, Incomplete, Verdict
from evalharness.runs.json_values import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalharness.pipeline.work import Group, Work
    from evalharness.runs.folder import RunFolder
    from evalharness.runs.journal import Journal
    from evalharness.sandbox import Job, Sandbox

_FAULTS_SHOWN = 5


def execute(
    work: Work, folder: RunFolder, completions: Mapping[Group, tuple[Completion, ...]]
) -> dict[Group, tuple[Execution, ...]]:
    """Judge every completion; each group's executions are in the order of its completions."""
    from evalharness.sandbox import Sandbox

    done: dict[tuple[Group, str, int], Execution] = {}
    options = work.options
    with (
        Sandbox(workers=options.workers, packages=options.packages, level=options.sandbox) as sandbox,
        folder.journal("executions") as journal,
    ):
        _calibrate(work, sandbox)
        work.watcher.stage("running", sum(map(len, completions.values())))
        for group, members in completions.items():
            for execution in _execute_group(work, sandbox, journal, members):
                done[group, execution.task_id, execution.completion_id] = execution
                work.watcher.advance()
    _note_programs(work, completions)
    work.incomplete += what_lacks((), done.values())
    return {g: tuple(done[g, c.task_id, c.completion_id] for c in members) for g, members in completions.items()}


def _calibrate(work: Work, sandbox: Sandbox) -> None:
    """Measure the machine by the canonical solutions, which also shows whether the sandbox judges as it should."""
    from evalharness.problems import yardsticks
    from evalharness.sandbox import YARDSTICKS

    problems = list(work.problems.values())
    work.watcher.stage("calibrating", 1)
    calibration = sandbox.calibrate(problems, yardsticks(YARDSTICKS))
    work.isolation = sandbox.isolation.info
    work.programs = dataclasses.replace(work.programs, cpu_limit_s=calibration.cpu_s)
    work.incomplete += what_lacks(calibration.faults, ())


def what_lacks(unsolved: Sequence[str], executions: Iterable[Execution]) -> list[Incomplete]:
    """What makes a judgement incomplete: problems whose own solution fails, and completions that are not judged."""
    unjudged = [execution for execution in executions if execution.verdict is Verdict.NOT_JUDGED]
    lacks = []
    if unsolved:
        failing = f"problems whose own canonical solution fails: {listed(unsolved)}"
        lacks.append(Incomplete("calibration", None, failing))
    if unjudged:
        first = f"{len(unjudged)} completions could not be judged: {unjudged[0].detail}"
        lacks.append(Incomplete("execution", None, first))
    return lacks


def listed(faults: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(faults) - _FAULTS_SHOWN
    return "; ".join(faults[:_FAULTS_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _note_programs(work: Work, completions: Mapping[Group, tuple[Completion, ...]]) -> None:
    problems = work.problems
    begun = [c for members in completions.values() for c in members if c.stop_reason not in NOT_BEGUN]
    distinct = {_job(problems, completion).fingerprint for completion in begun}
    work.programs = dataclasses.replace(work.programs, completions=len(begun), distinct=len(distinct))


def _execute_group(
    work: Work, sandbox: Sandbox, journal: Journal, completions: tuple[Completion, ...]
) -> Iterator[Execution]:
    """Yield an execution for each completion, in no particular order; new ones are kept in the journal."""
    problems, jobs, keys = work.problems, [], {}
    for completion in completions:
        if completion.stop_reason in NOT_BEGUN:
            yield _not_run(completion)
            continue
        job = _job(problems, completion)
        key = _key(sandbox, job, work.options.packages)
        if key in journal.known:
            yield _known(journal.known[key], completion)
        else:
            keys[job.task_id, job.completion_id] = key
            jobs.append(job)
    for execution in sandbox.run(jobs):
        if execution.verdict is not Verdict.NOT_JUDGED:
            journal.append(keys[execution.task_id, execution.completion_id], plain(execution))
        yield execution


def _job(problems: Mapping[str, Any], completion: Completion) -> Job:
    from evalharness.sandbox import Job

    return Job(completion.task_id, completion.completion_id, problems[completion.task_id], completion.text)


def _key(sandbox: Sandbox, job: Job, packages: tuple[str, ...]) -> str:
    limits = dataclasses.asdict(sandbox.limits_of(job.task_id))
    return digest([RECORD_FORMAT, job.fingerprint, limits, sandbox.isolation.level, packages])


def _not_run(completion: Completion) -> Execution:
    verdict = Verdict(completion.stop_reason)
    return Execution(completion.task_id, completion.completion_id, verdict, "", "not_run", 0.0, 0.0, 0)


def _known(record: Mapping[str, Any], completion: Completion) -> Execution:
    """An identical program's execution, under this completion's name."""
    own = {"task_id": completion.task_id, "completion_id": completion.completion_id}
    return Execution(**{**record, **own, "verdict": Verdict(record["verdict"])})
