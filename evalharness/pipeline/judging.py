"""An execution for each job: identical programs run once, and none that a journal already knows."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.degeneration.fences import answer_code
from evalharness.models.requests import continues_prompt
from evalharness.pipeline.completing import RECORD_FORMAT
from evalharness.pipeline.shared import Shared
from evalharness.records import (
    DEFAULT_LANGUAGE,
    NOT_BEGUN,
    Completion,
    Execution,
    Incomplete,
    IsolationInfo,
    Programs,
    Verdict,
)
from evalharness.runs.cache import cache_folder, usable
from evalharness.runs.json_values import digest, plain
from evalharness.runs.record_rows import execution_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalharness.pipeline.work import Group, Work
    from evalharness.progress import Watcher
    from evalharness.records import Problem
    from evalharness.runs.folder import RunFolder
    from evalharness.runs.journal import Journal
    from evalharness.sandbox import Job, Sandbox
    from evalharness.settings.score import SandboxLevel

_FAULTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """The executions of jobs, in the order of the jobs, and how the programs were run.

    ``unsolved`` names each problem whose own canonical solution fails on this machine, with its verdict.
    """

    executions: tuple[Execution, ...]
    isolation: IsolationInfo
    programs: Programs
    unsolved: tuple[str, ...]

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        """What makes the judgement incomplete: problems whose own solution fails, completions that are not judged."""
        unjudged = [execution for execution in self.executions if execution.verdict is Verdict.NOT_JUDGED]
        lacks = []
        if self.unsolved:
            failing = f"problems whose own canonical solution fails: {listed(self.unsolved)}"
            lacks.append(Incomplete("calibration", None, failing))
        if unjudged:
            first = f"{len(unjudged)} completions could not be judged: {unjudged[0].detail}"
            lacks.append(Incomplete("execution", None, first))
        return tuple(lacks)


def judge(
    jobs: Sequence[Job],
    watcher: Watcher,
    *,
    problems: Iterable[Problem] | None = None,
    workers: int | None,
    sandbox: SandboxLevel,
    packages: tuple[str, ...],
    journal: Journal | None = None,
    shared: Shared | None = None,
) -> Judged:
    """Run all jobs in one sandbox, calibrated by the canonical solutions of ``problems`` (those of the jobs if None).

    What ``shared`` knows of them is not measured again.

    A program that ``journal`` knows is not run again, and new executions are kept there. Raises SandboxError if
    programs can't be isolated here, StoreError if the journal can't be written.
    """
    from evalharness.problems import yardsticks
    from evalharness.sandbox import YARDSTICKS, Sandbox

    if problems is None:
        problems = {job.task_id: job.problem for job in jobs}.values()
    problems = tuple(problems)
    references = usable(cache_folder(os.environ) / "answers") if any(job.problem.inputs for job in jobs) else None
    languages = {problem.language for problem in problems} - {DEFAULT_LANGUAGE}
    with Sandbox(workers=workers, packages=packages, level=sandbox, references=references, languages=languages) as box:
        watcher.stage("calibrating", 1)
        calibration = (shared or Shared()).calibration(
            problems,
            (box.isolation.level, packages, workers),
            lambda: box.calibrate(problems, yardsticks(YARDSTICKS)),
        )
        box.allow(calibration)
        keys = [_key(box, job, packages) for job in jobs]
        executions = _kept(jobs, keys, journal)
        if executions:
            watcher.say(f"{len(executions)} of {len(jobs)} programs were judged by the earlier run")
        watcher.stage("running", len(jobs) - len(executions))
        for index, execution in _made(box, {i: job for i, job in enumerate(jobs) if i not in executions}):
            executions[index] = execution
            if journal is not None and execution.verdict is not Verdict.NOT_JUDGED:
                journal.append(keys[index], plain(execution))
            watcher.advance()
    distinct = len({job.fingerprint for job in jobs})
    return Judged(
        executions=tuple(executions[index] for index in range(len(jobs))),
        isolation=box.isolation.info,
        programs=Programs(len(jobs), distinct, calibration.cpu_s),
        unsolved=calibration.faults,
    )


def judge_completions(
    work: Work, folder: RunFolder, completions: Mapping[Group, tuple[Completion, ...]]
) -> dict[Group, tuple[Execution, ...]]:
    """Judge what a checkpoint wrote and note in ``work`` how; executions are in the order of the completions."""
    problems, options = work.problems, work.options
    begun = [c for members in completions.values() for c in members if c.stop_reason not in NOT_BEGUN]
    template = work.checkpoint.prompt_template
    jobs = [job_of(problems[completion.task_id], completion, template) for completion in begun]
    with folder.journal("executions") as journal:
        judged = judge(
            jobs,
            work.watcher,
            problems=problems.values(),
            workers=options.workers,
            sandbox=options.sandbox,
            packages=options.packages,
            journal=journal,
            shared=work.shared,
        )
    work.isolation, work.programs = judged.isolation, judged.programs
    work.incomplete += judged.incomplete
    in_order = iter(judged.executions)
    return {
        group: tuple(_not_run(c) if c.stop_reason in NOT_BEGUN else next(in_order) for c in members)
        for group, members in completions.items()
    }


def listed(faults: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(faults) - _FAULTS_SHOWN
    return "; ".join(faults[:_FAULTS_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _kept(jobs: Sequence[Job], keys: Sequence[str], journal: Journal | None) -> dict[int, Execution]:
    """By the index of its job, each execution that the journal knows from an earlier run."""
    known = {} if journal is None else journal.known
    pairs = enumerate(zip(jobs, keys, strict=True))
    return {index: _of_job(execution_from(known[key]), job) for index, (job, key) in pairs if key in known}


def _made(box: Sandbox, jobs: Mapping[int, Job]) -> Iterator[tuple[int, Execution]]:
    """Yield the index of each job with its execution, in no particular order."""
    # Numbered by their places: two jobs may be of one task and have one number, as a greedy and a sampled one do.
    for numbered in box.run(dataclasses.replace(job, completion_id=index) for index, job in jobs.items()):
        index = numbered.completion_id
        yield index, _of_job(numbered, jobs[index])


def job_of(problem: Problem, completion: Completion, template: str) -> Job:
    """The program of a completion that was made under ``template``; of a chat answer it takes the code in its fence."""
    from evalharness.sandbox import Job

    text = completion.text if continues_prompt(template) else after_prompt(problem, completion.text)
    return Job(completion.task_id, completion.completion_id, problem, text)


def after_prompt(problem: Problem, answer: str) -> str:
    """The code of a chat answer, to be put after the prompt, whose function it may define anew."""
    code = answer_code(answer, problem.entry_point)
    return code if code[:1].isspace() else f"\n{code}"


def _key(box: Sandbox, job: Job, packages: tuple[str, ...]) -> str:
    """A digest of everything that could change the execution."""
    limits = dataclasses.asdict(box.limits_of(job.task_id))
    return digest([RECORD_FORMAT, job.fingerprint, limits, box.isolation.level, packages])


def _of_job(execution: Execution, job: Job) -> Execution:
    return dataclasses.replace(execution, task_id=job.task_id, completion_id=job.completion_id)


def _not_run(completion: Completion) -> Execution:
    verdict = Verdict(completion.stop_reason)
    return Execution(completion.task_id, completion.completion_id, verdict, "", "not_run", 0.0, 0.0, 0)
