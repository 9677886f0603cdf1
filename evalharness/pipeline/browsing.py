"""The completions of scored checkpoints, read from their folders to be browsed side by side."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from evalharness.errors import EvalHarnessError
from evalharness.runs import paths, scorecard_json
from evalharness.runs.record_rows import read_analyses, read_completions, read_executions
from evalharness.runs.shown_beside import ProblemText, read_problem_texts, read_token_texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evalharness.records import Completion, Problem, ProblemSetInfo
    from evalharness.report.completion_browser import BrowsedCompletion, BrowsedProblem, CompletionBrowser
    from evalharness.runs.record_rows import Analysis

_Problem = tuple[str, str]
"""The name of a problem set, and a problem's in it."""


def browser_of(folders: Mapping[str, Path]) -> CompletionBrowser:
    """The completions of scored checkpoints by what each is called; problems in the order of the first that has them.

    Raises :class:`StoreError` for a broken row.
    """
    from evalharness.report.completion_browser import BrowsedProblem, CompletionBrowser

    completions: dict[_Problem, list[BrowsedCompletion]] = {}
    texts: dict[_Problem, ProblemText] = {}
    for column, folder in enumerate(folders.values()):
        for problem in problem_texts(folder):
            texts.setdefault((problem.problems, problem.task_id), problem)
        for key, completion in _browsed(column, folder):
            completions.setdefault(key, []).append(completion)
    order = {key: i for i, key in enumerate(texts)}
    problems: list[BrowsedProblem] = []
    for key in sorted(completions, key=lambda key: order.get(key, len(order))):
        text = texts.get(key)
        prompt, expected = (None, None) if text is None else (text.prompt, text.canonical_solution)
        problems.append(BrowsedProblem(*key, prompt, expected, tuple(completions[key])))
    return CompletionBrowser(tuple(folders), tuple(problems))


def problem_texts(folder: Path) -> Iterator[ProblemText]:
    """The problems of a score as they were recorded; older versions recorded none: then of the sets found here."""
    if (folder / paths.PROBLEMS).is_file() or not paths.holds_score(folder):
        yield from read_problem_texts(folder)
        return
    for info in scorecard_json.read(folder).protocol.problems:
        for problem in _same_problems(info):
            yield ProblemText(info.name, problem.task_id, problem.prompt, problem.canonical_solution)


def _same_problems(info: ProblemSetInfo) -> tuple[Problem, ...]:
    """The problems of a set if they are found and are those that were scored, by their digest; else none."""
    from evalharness.problems import load_problems

    try:
        problem_set = load_problems(info.name, limit=info.problems, environment=os.environ)
    except EvalHarnessError:
        return ()
    return problem_set.problems if problem_set.digest == info.digest else ()


def _browsed(column: int, folder: Path) -> Iterator[tuple[_Problem, BrowsedCompletion]]:
    """Every completion of one checkpoint with its problem, greedy before sampled."""
    token_texts = read_token_texts(folder)
    for group in paths.groups_in(folder):
        executions = {(e.task_id, e.completion_id): e for e in read_executions(folder, group)}
        analyses = {(a.task_id, a.completion_id): a for a in read_analyses(folder, group)}
        for completion in read_completions(folder, group):
            key = (completion.task_id, completion.completion_id)
            execution = executions.get(key)
            outcome = ("", "") if execution is None else (execution.verdict.value, execution.detail)
            browsed = _completion(column, completion, analyses.get(key), outcome, token_texts)
            yield (group.problems, completion.task_id), browsed


def _completion(
    column: int,
    completion: Completion,
    analysis: Analysis | None,
    outcome: tuple[str, str],
    token_texts: Mapping[int, str],
) -> BrowsedCompletion:
    from evalharness.report.completion_browser import BrowsedCompletion
    from evalharness.report.placed_tokens import placed_tokens

    verdict, message = outcome
    ids, entropies = completion.token_ids or (), completion.token_entropy_nats or ()
    return BrowsedCompletion(
        column=column,
        decoding=completion.decoding,
        completion_id=completion.completion_id,
        text=completion.text,
        loop=None if analysis is None else analysis.loop_characters,
        tokens=placed_tokens(completion.text, ids, token_texts, entropies) if token_texts else (),
        kind=analysis.kind if analysis is not None and analysis.degenerate else None,
        evidence="" if analysis is None else analysis.evidence,
        verdict=verdict,
        message=message,
        stop_reason=completion.stop_reason,
    )
