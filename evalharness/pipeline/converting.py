"""``convert``: completions of another tool as a run folder, so that a report is made without generating again."""

from __future__ import annotations

import hashlib
import os
import platform
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from evalharness.completion_files import completion_files, read_completions
from evalharness.completion_files.tasks import Tasks
from evalharness.pipeline import counting
from evalharness.pipeline.executing import jobs_of, judge_jobs, numbered
from evalharness.pipeline.measuring import judged
from evalharness.pipeline.running import what_lacks
from evalharness.pipeline.writing import scored_of, write_score
from evalharness.progress import Silent, Watcher
from evalharness.records import (
    CheckpointInfo,
    Completion,
    DecodingName,
    Loss,
    NotTestable,
    ProblemSetInfo,
    Programs,
    Protocol,
    Scorecard,
)
from evalharness.runs.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evalharness.completion_files import WrittenCompletion
    from evalharness.degeneration import Degeneration
    from evalharness.pipeline.executing import Judged
    from evalharness.pipeline.work import Behaviour
    from evalharness.problems import ProblemSet
    from evalharness.sandbox import Job
    from evalharness.settings.score_options import SandboxLevel

NOT_SEEN = "the model was not seen, only completions of it in another tool's files"


def convert(
    paths: Sequence[Path],
    problems: str,
    out: Path,
    *,
    name: str | None = None,
    step: int | None = None,
    temperature: float | None = None,
    ks: tuple[int, ...] = (1, 10, 100),
    key: str | None = None,
    workers: int | None = None,
    sandbox: SandboxLevel = "auto",
    packages: tuple[str, ...] = (),
    mbpp: Path | None = None,
    watcher: Watcher | None = None,
) -> tuple[Scorecard, Path]:
    """Judge and measure the completions of ``paths`` and write ``out/<name>/<step>/`` as a score does.

    One completion a problem counts as greedy where no ``temperature`` above 0 is given, more as sampled. Results that
    the files hold are not taken over: every completion is judged here, under this project's sandbox. Raises
    :class:`EvalHarnessError` as :func:`evalharness.pipeline.executing.execute_file` does.
    """
    from evalharness.problems import load_problems
    from evalharness.report import Evidence

    problem_set = load_problems(problems, mbpp_path=mbpp, environment=os.environ)
    tasks = Tasks(problem_set.problems)
    jobs: list[Job] = []
    written: list[WrittenCompletion] = []
    files = completion_files(paths)
    for file in files:
        found = read_completions(file, key).completions
        written += found
        jobs += jobs_of(file, found, tasks)
    jobs = numbered(jobs)
    most = max(Counter(job.task_id for job in jobs).values())
    decoding: DecodingName = "sampled" if most > 1 or temperature else "greedy"
    group = (problem_set.name, decoding)
    completions = tuple(_completion(job, w, decoding) for job, w in zip(jobs, written, strict=True))
    judgements = judge_jobs(jobs, problem_set, watcher or Silent(), workers=workers, sandbox=sandbox, packages=packages)
    behaviour = judged(
        {group: completions}, {group: judgements.executions}, {group: _analysed(jobs, completions)}, seed=0
    )
    asked = _Asked(name or files[0].name.split(".")[0], step, temperature, ks, packages, most, tuple(files))
    card = _scorecard(asked, problem_set, behaviour, judgements)
    problems_by_id = {problem.task_id: problem for problem in problem_set.problems}
    evidence = Evidence(scored_of([problem_set.name], problems_by_id, behaviour), (), lambda token_id: f"<{token_id}>")
    with RunFolder(out / asked.name / ("final" if step is None else f"step_{step}")) as folder:
        write_score(folder, card, behaviour, evidence)
        return card, folder.path


@dataclass(frozen=True, slots=True)
class _Asked:
    name: str
    step: int | None
    temperature: float | None
    ks: tuple[int, ...]
    packages: tuple[str, ...]
    completions_a_problem: int
    files: tuple[Path, ...]


def _completion(job: Job, written: WrittenCompletion, decoding: DecodingName) -> Completion:
    """The completion alone: a tool that writes whole programs has the prompt before it."""
    text = job.text.removeprefix(job.problem.prompt) if job.whole else job.text
    return Completion(
        task_id=job.task_id,
        completion_id=job.completion_id,
        text=text,
        token_ids=written.token_ids,
        stop_reason=written.stop_reason or "not_recorded",
        decoding=decoding,
        token_entropy_nats=written.token_entropy_nats,
    )


def _analysed(jobs: Sequence[Job], completions: Sequence[Completion]) -> tuple[Degeneration, ...]:
    from evalharness.degeneration import Written, analyse_all

    return tuple(
        analyse_all(
            [
                Written(
                    text=c.text,
                    token_ids=c.token_ids,
                    token_entropy_nats=c.token_entropy_nats,
                    stop_reason=None if c.stop_reason == "not_recorded" else c.stop_reason,
                    prompt=job.problem.prompt,
                    task_id=c.task_id,
                )
                for job, c in zip(jobs, completions, strict=True)
            ],
            None,
        )
    )


def _scorecard(asked: _Asked, problem_set: ProblemSet, behaviour: Behaviour, found: Judged) -> Scorecard:
    from evalharness.diagnosis import CATALOGUE

    ((group, completions),) = behaviour.completions.items()
    name, decoding = group
    executions = found.executions
    texts = {(c.task_id, c.text) for c in completions}
    return Scorecard(
        checkpoint=CheckpointInfo(
            path=asked.name,
            fingerprint=_digest(asked.files),
            step=asked.step,
            parameters=None,
            kind="completions of another tool",
            notes=(f"converted from {', '.join(file.name for file in asked.files)}; judged anew",),
        ),
        protocol=Protocol(
            problems=(ProblemSetInfo(name, len(problem_set.problems), problem_set.digest),),
            samples=0 if decoding == "greedy" else asked.completions_a_problem,
            temperature=asked.temperature,
            top_p=1.0,
            top_k=0,
            seed=0,
            max_new_tokens=None,
            stop_loops=False,
            attention="not_testable",
            exact_lengths=False,
            device="not recorded",
            dtype="not recorded",
            isolation=found.isolation,
            packages=asked.packages,
            versions={"evalharness": version("evalharness"), "python": platform.python_version()},
        ),
        loss=Loss(None, None, None, None, "not recomputed: the model was not seen"),
        pass_at_k={name: {decoding: counting.pass_at_k(executions, asked.ks)}},
        outcomes={name: {decoding: counting.outcomes(executions)}},
        programs=Programs(len(completions), len(texts), found.cpu_limit_s),
        degeneration=behaviour.rates,
        verdict=behaviour.judgement.verdict,
        verdict_reason=behaviour.judgement.reason,
        findings=(),
        ruled_out=(),
        not_testable=tuple(NotTestable(probe.name, "no_model", NOT_SEEN) for probe in CATALOGUE),
        incomplete=tuple(what_lacks(found.unsolved, executions)),
    )


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
