"""``audit``: how many wrong programs the tests of a problem set let pass, measured by mutants of its solutions."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.errors import ProblemError
from evalharness.pipeline.judging import judge
from evalharness.pipeline.result_rows import PartialResults, write_results
from evalharness.progress import Silent
from evalharness.records import Execution, Interval, IsolationInfo, Release, Verdict
from evalharness.runs.files import check_writable
from evalharness.statistics import share_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalharness.problems import ProblemSet
    from evalharness.problems.mutants import Mutant
    from evalharness.progress import Watcher
    from evalharness.sandbox import Job
    from evalharness.settings.score import SandboxLevel


@dataclass(frozen=True, slots=True)
class AuditedProblem:
    """What came of the mutants of one problem.

    ``wrong`` fail a test. Of these, ``wrong_pass_base`` pass the base tests and fail a plus test: None if the problem's
    tests are not in two parts. ``undecided`` pass all tests: each is either wrong or equivalent to the solution.
    ``not_judged`` counts in none of them.
    """

    task_id: str
    mutants: int
    wrong: int
    wrong_pass_base: int | None
    undecided: int
    not_judged: int


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of a set. ``results`` has a row for each mutant.

    ``undecided`` is the share of mutants that pass all tests, ``wrong_pass_base`` that of wrong mutants which pass the
    base tests; None if no problem has plus tests. ``unsolved`` names the problems whose own canonical solution fails.
    """

    results: Path
    problem_set: str
    problems: tuple[AuditedProblem, ...]
    undecided: Interval | None
    wrong_pass_base: Interval | None
    isolation: IsolationInfo
    unsolved: tuple[str, ...]
    release: Release | None = None

    @property
    def incomplete(self) -> bool:
        """Whether something could not be judged, or a problem's own solution does not pass here."""
        return bool(self.unsolved) or any(problem.not_judged for problem in self.problems)


def audit_problems(
    name_or_path: str,
    *,
    mutants: int = 10,
    limit: int | None = None,
    seed: int = 0,
    out: Path = Path(),
    workers: int | None = None,
    sandbox: SandboxLevel = "auto",
    packages: tuple[str, ...] = (),
    problem_paths: Mapping[str, Path] | None = None,
    watcher: Watcher | None = None,
) -> Audit:
    """Judge at most ``mutants`` mutants of each canonical solution and write ``out/audit_<set>.jsonl``.

    Which mutants depends on ``seed`` and the task alone. A killed call goes on from ``audit_<set>.partial.jsonl``.
    Results of other mutants that have the name are kept: the name gets a number. Raises :class:`EvalHarnessError`
    before anything is judged: for problems that can't be loaded or mutated, and for a folder that can't be written.
    """
    from evalharness.problems import load_problems

    problem_set = load_problems(name_or_path, limit=limit, paths=problem_paths, environment=os.environ)
    made = _mutants_of(problem_set, at_most=mutants, seed=seed)
    jobs = [job for job, _ in made]
    rows = [_row(job, mutant) for job, mutant in made]
    check_writable(out)
    stem = f"audit_{problem_set.name}"
    with PartialResults(out, stem, jobs, rows) as journal:
        judged = judge(jobs, watcher or Silent(), workers=workers, sandbox=sandbox, packages=packages, journal=journal)
        results = write_results(out, stem, rows, judged.executions)
        journal.remove()
    executions = _by_task(problem_set, judged.executions)
    return Audit(
        results=results,
        problem_set=problem_set.name,
        problems=tuple(_audited(task_id, members) for task_id, members in executions.items()),
        undecided=_share({task: [_passed(e) for e in members] for task, members in executions.items()}),
        wrong_pass_base=_share(
            {
                task: [e.base is Verdict.PASSED for e in members if e.base is not None and not _passed(e)]
                for task, members in executions.items()
            }
        ),
        isolation=judged.isolation,
        unsolved=judged.unsolved,
        release=problem_set.release,
    )


def _mutants_of(problem_set: ProblemSet, *, at_most: int, seed: int) -> list[tuple[Job, Mutant]]:
    from evalharness.problems.mutants import mutants
    from evalharness.sandbox import Job

    made = [
        (Job(problem.task_id, number, problem, mutant.program, whole=True), mutant)
        for problem in problem_set.problems
        for number, mutant in enumerate(mutants(problem, at_most=at_most, seed=seed))
    ]
    if not made:
        raise ProblemError(f"{problem_set.name}: no canonical solution can be changed, expected solutions in Python")
    return made


def _row(job: Job, mutant: Mutant) -> dict[str, str | int]:
    return {
        "task_id": job.task_id,
        "completion_id": job.completion_id,
        "solution": mutant.program,
        "mutation": mutant.kind,
        "line": mutant.line,
    }


def _by_task(problem_set: ProblemSet, executions: Sequence[Execution]) -> dict[str, list[Execution]]:
    """The executions of each problem, those without mutants too."""
    by_task = defaultdict[str, list[Execution]](list, {problem.task_id: [] for problem in problem_set.problems})
    for execution in executions:
        by_task[execution.task_id].append(execution)
    return by_task


def _audited(task_id: str, executions: Sequence[Execution]) -> AuditedProblem:
    judged = [execution for execution in executions if execution.verdict is not Verdict.NOT_JUDGED]
    wrong = [execution for execution in judged if not _passed(execution)]
    has_parts = any(execution.base is not None for execution in judged)
    return AuditedProblem(
        task_id=task_id,
        mutants=len(executions),
        wrong=len(wrong),
        wrong_pass_base=sum(execution.base is Verdict.PASSED for execution in wrong) if has_parts else None,
        undecided=len(judged) - len(wrong),
        not_judged=len(executions) - len(judged),
    )


def _passed(execution: Execution) -> bool:
    return execution.verdict is Verdict.PASSED


def _share(flags: Mapping[str, Sequence[bool]]) -> Interval | None:
    return share_interval(flags) if any(flags.values()) else None
