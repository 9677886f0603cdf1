"""The files of a score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.pipeline.freshness import kept_scorecard
from evalharness.pipeline.step_report import keep_evidence, questions, write_step_report
from evalharness.runs import paths, scorecard_json
from evalharness.runs import record_rows as rows
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evalharness.diagnosis import PassageToken, RowLoss
    from evalharness.pipeline.work import Behaviour, Work
    from evalharness.records import Problem, Scorecard
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
    _say_what_is_replaced(work, folder, card)
    rows.write_row_losses(folder, by_row)
    write_score(folder, card, behaviour, _evidence(work, behaviour, passage))


def _say_what_is_replaced(work: Work, folder: RunFolder, card: Scorecard) -> None:
    """Say so where the report that lies there is over more completions; what they are is kept in the journals."""
    before = kept_scorecard(folder.path)
    count, now = (0 if of is None else _completions(of) for of in (before, card))
    if before is not None and count > now:
        sets = " and ".join(info.name for info in before.protocol.problems)
        work.watcher.say(
            f"a report of {counted(count, 'completion')} ({sets}) is replaced by one of {now:,}: the earlier command "
            "brings it back without completing anything anew, and --out keeps both"
        )


def _completions(card: Scorecard) -> int:
    return sum(rate.completions for rate in card.degeneration.values())


def write_score(folder: RunFolder, card: Scorecard, behaviour: Behaviour, evidence: Evidence) -> None:
    """Write what the model wrote, what came of it, the figures, the report, and last the scorecard."""
    for (name, decoding), completions in behaviour.completions.items():
        group, texts = paths.Group(name, decoding), [completion.text for completion in completions]
        rows.write_completions(folder, group, completions)
        rows.write_executions(folder, group, texts, behaviour.executions[name, decoding])
        rows.write_analyses(folder, group, completions, behaviour.analyses[name, decoding])
    keep_evidence(folder, evidence)
    write_step_report(folder, card, evidence)
    folder.write(paths.SCORECARD, scorecard_json.to_json(card))


def _evidence(work: Work, behaviour: Behaviour, passage: tuple[PassageToken, ...]) -> Evidence:
    from evalharness.report import Evidence, Read

    return Evidence(
        scored=scored_of([s.name for s in work.sets], work.problems, behaviour),
        log=tuple(work.log),
        token_text=lambda token_id: work.checkpoint.tokenizer.decode([token_id]),
        passage=tuple(Read(token.text, token.parallel_nats, token.honest_nats) for token in passage),
        questions=dict(questions()),
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
