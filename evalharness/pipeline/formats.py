"""The same problems in the prompt format that was not chosen: in the tokenizer's chat template, or plainly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evalharness.errors import EvaluationError
from evalharness.models.requests import continues_prompt
from evalharness.pipeline.completing import complete
from evalharness.pipeline.judging import judge_completions
from evalharness.records import FormatComparison, Incomplete, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evalharness.generation import Settings
    from evalharness.models.torch import Checkpoint
    from evalharness.pipeline.work import Group, Work
    from evalharness.records import Execution, PromptFormat
    from evalharness.runs.folder import RunFolder

PROBLEMS = 40
"""Problems that are asked in the other format, one greedy completion each: a thirtieth of a score's usual completions.
Five of them that pass in one format alone are beyond the interval of the difference."""


def compare_formats(
    work: Work, folder: RunFolder, settings: Settings, executions: Mapping[Group, tuple[Execution, ...]]
) -> FormatComparison | None:
    """Ask some problems of all sets in the other format, and compare with how the same problems went as scored.

    None where there is no other format, or no problem was judged in both. What goes wrong makes the score incomplete.
    """
    from evalharness.statistics import compare_pass_at_k

    checkpoint = work.checkpoint.asked_the_other_way()
    if checkpoint is None:
        return None
    try:
        otherwise = _in_other_format(work, checkpoint, folder, settings)
    except EvaluationError as error:
        work.incomplete.append(Incomplete("generation", None, f"the other prompt format could not be asked: {error}"))
        return None
    as_scored = _passed(executions)
    if not as_scored.keys() & otherwise.keys():
        return None
    comparison = compare_pass_at_k(as_scored, otherwise, 1, seed=work.options.seed)
    in_use: PromptFormat = "plain" if continues_prompt(work.checkpoint.prompt_template) else "chat"
    return FormatComparison(in_use, comparison.problems, comparison.first, comparison.second, comparison.difference)


def _in_other_format(
    work: Work, checkpoint: Checkpoint, folder: RunFolder, settings: Settings
) -> dict[str, tuple[int, int]]:
    """How the problems went in the other format."""
    from evalharness.diagnosis import evenly

    chosen = frozenset(evenly(list(work.problems), PROBLEMS))
    few = replace(
        work,
        checkpoint=checkpoint,
        options=replace(work.options, samples=0, replicas=1),
        sets=[replace(s, problems=tuple(p for p in s.problems if p.task_id in chosen)) for s in work.sets],
        incomplete=[],
    )
    work.watcher.say(f"{len(chosen)} problems are asked in the other prompt format, too")
    executions = judge_completions(few, folder, complete(few, folder, settings))
    # Of problems whose own solution fails the whole score tells already.
    work.incomplete += [lack for lack in few.incomplete if lack.stage != "calibration"]
    return _passed(executions)


def _passed(executions: Mapping[Group, Iterable[Execution]]) -> dict[str, tuple[int, int]]:
    """``(1, passed)`` of each task's greedy completion; what could not be judged is left out."""
    return {
        execution.task_id: (1, int(execution.verdict is Verdict.PASSED))
        for (_, decoding), members in executions.items()
        for execution in members
        if decoding == "greedy" and execution.verdict is not Verdict.NOT_JUDGED
    }
