"""``convert``: completions of another tool as a run folder, so that a report is made without generating again."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.completion_files import completion_files, read_completions
from evalharness.completion_files.tasks import Tasks
from evalharness.pipeline.assembling import assemble, set_info, versions
from evalharness.pipeline.extracting import Extract, extracted
from evalharness.pipeline.judging import judge
from evalharness.pipeline.judging_files import jobs_of, numbered
from evalharness.pipeline.measuring import behaviour_of
from evalharness.pipeline.writing import scored_of, write_score
from evalharness.progress import Silent, Watcher
from evalharness.records import CheckpointInfo, Completion, DecodingName, Loss, NotTestable, Protocol, Scorecard
from evalharness.runs.naming import without_suffix
from evalharness.runs.owner import Owner, claimed, named
from evalharness.runs.paths import step_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from evalharness.completion_files import FileCompletion
    from evalharness.degeneration import Degeneration
    from evalharness.diagnosis import Diagnosis
    from evalharness.pipeline.judging import Judged
    from evalharness.pipeline.work import Behaviour
    from evalharness.problems import ProblemSet
    from evalharness.runs.folder import RunFolder
    from evalharness.sandbox import Job
    from evalharness.settings.score import SandboxLevel

FEW = 10
"""Completions of a problem below which pass@k is also given for all of them."""
NOT_SEEN = "only completions of another tool were given"


def convert(
    paths: Sequence[Path],
    problems: str,
    out: Path,
    *,
    name: str | None = None,
    step: int | None = None,
    temperature: float | None = None,
    ks: tuple[int, ...] | None = None,
    key: str | None = None,
    workers: int | None = None,
    sandbox: SandboxLevel = "auto",
    packages: tuple[str, ...] = (),
    problem_paths: Mapping[str, Path] | None = None,
    extract: Extract = "auto",
    watcher: Watcher | None = None,
) -> tuple[Scorecard, Path]:
    """Judge and measure the completions of ``paths`` and write ``out/<name>/<step>/`` as a score does.

    One completion per problem counts as greedy unless ``temperature`` is above 0; several count as sampled. Results
    that the files contain are not taken over: every completion is judged here, in this project's sandbox, of a chat
    answer the code in its fence, unless ``extract`` is "never". What was written is measured whole. A killed call goes
    on from the journal in the run folder. Raises
    :class:`EvalHarnessError` as :func:`evalharness.pipeline.judging_files.judge_file` does.
    """
    from evalharness.problems import load_problems

    watcher = watcher or Silent()
    problem_set = load_problems(problems, paths=problem_paths, environment=os.environ)
    files = completion_files(paths)
    jobs, written = _read(files, key, Tasks(problem_set))
    completions = completions_of(jobs, written, temperature)
    answers = extracted(jobs, extract)
    if answers.words:
        watcher.say(answers.words)
    count = f"completions of {len({job.task_id for job in jobs}):,} of {len(problem_set.problems):,} problems"
    origin = _Origin(name or without_suffix(files[0]), step, tuple(files), count)
    with claimed(out, origin.name, step_folder(origin.step), origin.owner, watcher.say) as folder:
        with folder.journal("executions") as journal:
            judged = judge(answers.jobs, watcher, workers=workers, sandbox=sandbox, packages=packages, journal=journal)
        group = (problem_set.name, completions[0].decoding)
        behaviour = behaviour_of(
            {group: completions}, {group: judged.executions}, {group: analyses_of(jobs, completions)}, seed=0
        )
        samples = _most_of_one_problem(jobs) if completions[0].decoding == "sampled" else 0
        card = assemble(
            origin.checkpoint,
            _protocol(problem_set.only({job.task_id for job in jobs}), samples, temperature, packages, judged),
            behaviour,
            ks=ks or usual_ks(jobs),
            programs=judged.programs,
            loss=Loss(None, None, None, None, "not recomputed: only completions were given"),
            diagnosis=_no_diagnosis(),
            incomplete=judged.incomplete,
        )
        _write(folder, card, problem_set, behaviour)
        return card, folder.path


def _read(files: Sequence[Path], key: str | None, tasks: Tasks) -> tuple[list[Job], list[FileCompletion]]:
    """The completions of all files in their order, and a job for each."""
    jobs: list[Job] = []
    written: list[FileCompletion] = []
    for file in files:
        of_file = read_completions(file, key).completions
        written += of_file
        jobs += jobs_of(file, of_file, tasks)
    return numbered(jobs), written


def _write(folder: RunFolder, card: Scorecard, problem_set: ProblemSet, behaviour: Behaviour) -> None:
    from evalharness.report import Evidence

    problems_by_id = {problem.task_id: problem for problem in problem_set.problems}
    evidence = Evidence(scored_of([problem_set.name], problems_by_id, behaviour), (), lambda token_id: f"<{token_id}>")
    write_score(folder, card, behaviour, evidence)


def usual_ks(jobs: Sequence[Job]) -> tuple[int, ...]:
    """The k of pass@k that these completions allow: 1, 10 and 100 as the field has them, and all of a problem's few."""
    fewest = min(Counter(job.task_id for job in jobs).values())
    return tuple(sorted({k for k in (1, 10, 100) if k <= fewest} | ({fewest} if fewest < FEW else set())))


def _most_of_one_problem(jobs: Sequence[Job]) -> int:
    return max(Counter(job.task_id for job in jobs).values())


@dataclass(frozen=True, slots=True)
class _Origin:
    """What stands in the place of a checkpoint: the files that its completions are from."""

    name: str
    step: int | None
    files: tuple[Path, ...]
    count: str
    """Of how many problems there are completions."""

    @property
    def checkpoint(self) -> CheckpointInfo:
        return CheckpointInfo(
            path=self.name,
            fingerprint=_digest(self.files),
            step=self.step,
            parameters=None,
            kind="completions of another tool",
            notes=(f"converted from {', '.join(file.name for file in self.files)}: {self.count}; judged anew",),
        )

    @property
    def owner(self) -> Owner:
        return Owner(named(self.name), "; ".join(str(file.resolve()) for file in self.files), _digest(self.files))


def completions_of(
    jobs: Sequence[Job], written: Sequence[FileCompletion], temperature: float | None
) -> tuple[Completion, ...]:
    """The completions of files as records; all are greedy or all sampled, as :func:`convert` says."""
    decoding: DecodingName = "sampled" if _most_of_one_problem(jobs) > 1 or temperature else "greedy"
    return tuple(_completion(job, w, decoding) for job, w in zip(jobs, written, strict=True))


def _completion(job: Job, written: FileCompletion, decoding: DecodingName) -> Completion:
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


def analyses_of(jobs: Sequence[Job], completions: Sequence[Completion]) -> tuple[Degeneration, ...]:
    """What is found in each completion, compared with all others."""
    from evalharness.degeneration import CompletionText, analyse_all

    return tuple(
        analyse_all(
            [
                CompletionText(
                    text=c.text,
                    token_ids=c.token_ids,
                    token_entropy_nats=c.token_entropy_nats,
                    stop_reason=None if c.stop_reason == "not_recorded" else c.stop_reason,
                    prompt=job.problem.prompt,
                    task_id=c.task_id,
                    language=job.problem.language,
                )
                for job, c in zip(jobs, completions, strict=True)
            ],
            None,
        )
    )


def _protocol(
    problem_set: ProblemSet, samples: int, temperature: float | None, packages: tuple[str, ...], judged: Judged
) -> Protocol:
    """What is known of how the completions were made, and how they were judged here."""
    return Protocol(
        problems=(set_info(problem_set),),
        samples=samples,
        temperature=temperature,
        top_p=None,
        top_k=None,
        seed=None,
        max_new_tokens=None,
        stop_loops=None,
        attention="not_testable",
        exact_lengths=None,
        device="not recorded",
        dtype="not recorded",
        isolation=judged.isolation,
        packages=packages,
        versions=versions(),
    )


def _no_diagnosis() -> Diagnosis:
    """No probe could be asked: there are only completions."""
    from evalharness.diagnosis import Diagnosis
    from evalharness.diagnosis.catalogue import catalogue

    return Diagnosis((), (), tuple(NotTestable(probe.name, "no_model", NOT_SEEN) for probe in catalogue()))


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        for part in sorted(file.rglob("*.py")) if file.is_dir() else [file]:
            digest.update(part.read_bytes())
    return digest.hexdigest()
