"""An execution for each job: identical programs run once, and none that a journal already knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.degeneration.fences import answer_code
from evalharness.models.requests import continues_prompt
from evalharness.pipeline.judges import SandboxChoice, of_job, own_judges
from evalharness.records import NOT_BEGUN, Completion, Execution, Incomplete, IsolationInfo, Programs, Verdict
from evalharness.runs.json_values import plain
from evalharness.runs.record_rows import execution_from
from evalharness.settings.score import NO_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from evalharness.pipeline.judges import Conditions, Judges
    from evalharness.pipeline.shared import Shared
    from evalharness.pipeline.work import Group, Work
    from evalharness.progress import Watcher
    from evalharness.records import Problem
    from evalharness.runs.folder import RunFolder
    from evalharness.runs.journal import Journal
    from evalharness.sandbox import Job
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
    ray: str = NO_CLUSTER,
) -> Judged:
    """Run all jobs in one sandbox, calibrated by the canonical solutions of ``problems`` (those of the jobs if None).

    What ``shared`` knows of them is not measured again. With ``ray``, the address of a cluster, its nodes run them.

    A program that ``journal`` knows is not run again, and new executions are kept there. Raises SandboxError if
    programs can't be isolated here, StoreError if the journal can't be written.
    """
    if problems is None:
        problems = {job.task_id: job.problem for job in jobs}.values()
    problems = tuple(problems)
    choice = SandboxChoice(workers, sandbox, packages)
    with judges_for(ray, choice, problems, watcher, shared, len(jobs)) as judges:
        executions = _kept(jobs, judges, journal)
        if executions:
            watcher.say(f"{len(executions)} of {len(jobs)} programs were judged by the earlier run")
        watcher.stage("running", len(jobs) - len(executions))
        for ruling in judges.run((i, job) for i, job in enumerate(jobs) if i not in executions):
            executions[ruling.number] = ruling.execution
            if journal is not None and ruling.execution.verdict is not Verdict.NOT_JUDGED:
                journal.append(ruling.key, plain(ruling.execution))
            watcher.advance()
    distinct = len({job.fingerprint for job in jobs})
    return Judged(
        executions=tuple(executions[index] for index in range(len(jobs))),
        isolation=weakest(judges.places),
        programs=Programs(len(jobs), distinct, max(place.calibration.cpu_s for place in judges.places)),
        unsolved=unsolved(judges.places),
    )


def unsolved(places: Sequence[Conditions]) -> tuple[str, ...]:
    """Each problem whose own canonical solution fails somewhere, with its verdict."""
    return tuple(dict.fromkeys(fault for place in places for fault in place.calibration.faults))


def judges_for(
    ray: str,
    choice: SandboxChoice,
    problems: tuple[Problem, ...],
    watcher: Watcher,
    shared: Shared | None,
    programs: int,
) -> AbstractContextManager[Judges]:
    """Those of this process or of a cluster, calibrated by ``problems``; ``programs`` is about how many will come."""
    if ray == NO_CLUSTER:
        return own_judges(choice, problems, watcher, shared)
    from evalharness.pipeline.spreading.ray_judges import ray_judges

    return ray_judges(ray, choice, problems, watcher, programs)


def weakest(places: Sequence[Conditions]) -> IsolationInfo:
    """The isolation that held everywhere: that of the place with the weakest."""
    return max((place.isolation for place in places), key=lambda isolation: isolation.level)


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
            ray=options.ray,
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


def _kept(jobs: Sequence[Job], judges: Judges, journal: Journal | None) -> dict[int, Execution]:
    """By the index of its job, each execution that the journal knows from an earlier run under the same conditions."""
    if journal is None or not journal.known:
        return {}
    keys = ((index, job, place.key(job)) for index, job in enumerate(jobs) for place in judges.places)
    return {i: of_job(execution_from(journal.known[key]), job) for i, job, key in keys if key in journal.known}


def job_of(problem: Problem, completion: Completion, template: str) -> Job:
    """The program of a completion that was made under ``template``; of a chat answer it takes the code in its fence."""
    from evalharness.sandbox import Job

    text = completion.text if continues_prompt(template) else after_prompt(problem, completion.text)
    return Job(completion.task_id, completion.completion_id, problem, text)


def after_prompt(problem: Problem, answer: str) -> str:
    """The code of a chat answer, to be put after the prompt, whose function it may define anew."""
    code = answer_code(answer, problem.entry_point)
    return code if code[:1].isspace() else f"\n{code}"


def _not_run(completion: Completion) -> Execution:
    verdict = Verdict(completion.stop_reason)
    return Execution(completion.task_id, completion.completion_id, verdict, "", "not_run", 0.0, 0.0, 0)
