"""``export``: what a score's folder holds, as logs of another tool. Each group of completions is one log."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError, StoreError
from evalharness.records import Verdict
from evalharness.runs import paths, scorecard_json
from evalharness.runs.record_rows import read_completions, read_executions
from evalharness.runs.shown_beside import read_problem_texts

if TYPE_CHECKING:
    from pathlib import Path

    from evalharness.records import Completion, Execution, Scorecard, StopReason

_STOP_REASONS: dict[StopReason, str] = {
    "end_token": "stop",
    "stop_sequence": "stop",
    "max_new_tokens": "max_tokens",
    "context_full": "model_length",
}
"""Inspect's words for why a completion ended; the other reasons are ``unknown`` to it."""


def export_inspect(folder: Path, out: Path) -> list[Path]:
    """Write ``.eval`` logs of inspect_ai: one for each problem set and decoding of the score in ``folder``.

    Each completion is a sample (its number is the epoch), scored ``C`` if it passed and ``I`` if not, with the verdict
    as explanation. What could not be judged has no score. Raises EvalHarnessError where inspect_ai is missing or a log
    is there already, and StoreError for a folder without a score.
    """
    try:
        import inspect_ai.log
    except ImportError as error:
        raise EvalHarnessError(
            "inspect_ai writes its own logs, and is not installed: pip install inspect_ai"
        ) from error
    if not paths.holds_score(folder):
        raise StoreError(f"{folder}: holds no {paths.SCORECARD}: expected the folder of one scored step")
    card = scorecard_json.from_json((folder / paths.SCORECARD).read_text(encoding="utf-8"))
    files = {group: out / f"{folder.parent.name}_{folder.name}.{group}.eval" for group in paths.groups_in(folder)}
    if there := [str(file) for file in files.values() if file.exists()]:
        raise EvalHarnessError(f"{there[0]}: is there already: remove it, or name another folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    for group, file in files.items():
        inspect_ai.log.write_eval_log(_log(folder, group, card), str(file), format="eval")
    return [*files.values()]


def _log(folder: Path, group: paths.Group, card: Scorecard) -> Any:
    from inspect_ai import log

    completions = read_completions(folder, group)
    executions = {(e.task_id, e.completion_id): e for e in read_executions(folder, group)}
    prompts = {p.task_id: p.prompt for p in read_problem_texts(folder) if p.problems == group.problems}
    model = f"evalharness/{card.checkpoint.model or card.checkpoint.path}"
    written = datetime.fromtimestamp((folder / paths.SCORECARD).stat().st_mtime, UTC)
    return log.EvalLog(
        status="success",
        eval=log.EvalSpec(
            created=written.isoformat(),
            task=f"{group.problems} ({group.decoding})",
            dataset=log.EvalDataset(name=group.problems, samples=len({c.task_id for c in completions})),
            model=model,
            config=log.EvalConfig(epochs=max(Counter(c.task_id for c in completions).values(), default=1)),
            metadata={"verdict": card.verdict, "step": card.checkpoint.step},
        ),
        results=log.EvalResults(
            total_samples=len(completions), completed_samples=len(completions), scores=[_score(card, group)]
        ),
        samples=[_sample(c, executions.get((c.task_id, c.completion_id)), prompts, model) for c in completions],
    )


def _score(card: Scorecard, group: paths.Group) -> Any:
    """pass@k as its metrics, each with the bounds of its interval."""
    from inspect_ai.log import EvalMetric, EvalScore

    metrics = {}
    for k, share in card.pass_at_k.get(group.problems, {}).get(group.decoding, {}).items():
        for suffix, value in (("", share.estimate), (" low", share.low), (" high", share.high)):
            metrics[f"pass@{k}{suffix}"] = EvalMetric(name=f"pass@{k}{suffix}", value=value)
    return EvalScore(name="evalharness", scorer="evalharness", metrics=metrics)


def _sample(completion: Completion, execution: Execution | None, prompts: dict[str, str], model: str) -> Any:
    from inspect_ai.log import EvalSample
    from inspect_ai.model import ModelOutput
    from inspect_ai.scorer import Score

    scores = {}
    if execution is not None and execution.verdict is not Verdict.NOT_JUDGED:
        scores["evalharness"] = Score(
            value="C" if execution.verdict is Verdict.PASSED else "I",
            answer=completion.text,
            explanation=f"{execution.verdict}: {execution.detail}" if execution.detail else str(execution.verdict),
        )
    stop: Any = _STOP_REASONS.get(completion.stop_reason, "unknown")
    return EvalSample(
        id=completion.task_id,
        epoch=completion.completion_id + 1,
        input=prompts.get(completion.task_id, completion.task_id),
        target="",
        output=ModelOutput.from_content(model, completion.text, stop_reason=stop),
        scores=scores,
    )
