"""What the completions are like, and what the losses were."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evalharness.errors import EvaluationError
from evalharness.pipeline import counting
from evalharness.pipeline.served_loss import served_loss
from evalharness.pipeline.work import Behaviour
from evalharness.progress.time_limit import OutOfTime
from evalharness.records import ConventionLoss, Incomplete, Loss, NotTestable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalharness.degeneration import Degeneration
    from evalharness.diagnosis import LossBreakdown, Measured, PairedLoss, RowLoss, Subject
    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.pipeline.work import Group, Work
    from evalharness.records import Completion, DegenerationRate, Execution, LogChoice, LossPoint


FEW_TARGETS = 100
"""Targets that are predicted from their prefix at most if time is limited."""


def measure_behaviour(
    work: Work,
    completions: Mapping[Group, tuple[Completion, ...]],
    executions: Mapping[Group, tuple[Execution, ...]],
) -> Behaviour:
    """Measure the degeneration of every completion, and judge the checkpoint by it."""
    return behaviour_of(completions, executions, _analysed(work, completions), work.options.seed)


def behaviour_of(
    completions: Mapping[Group, tuple[Completion, ...]],
    executions: Mapping[Group, tuple[Execution, ...]],
    analyses: Mapping[Group, tuple[Degeneration, ...]],
    seed: int,
) -> Behaviour:
    """The rates of degeneration, by decoding over all problem sets, and the verdict on them."""
    from evalharness.degeneration import checkpoint_verdict, counted_share

    rates = _degeneration_rates(completions, analyses, seed)
    after_answer = {name: rate.shares["loop_after_answer"] for name, rate in rates.items()}
    judgement = checkpoint_verdict(
        counted_share(rates.get("greedy")), counted_share(rates.get("sampled")), after_answer
    )
    return Behaviour(completions, executions, analyses, rates, judgement)


def _analysed(work: Work, completions: Mapping[Group, tuple[Completion, ...]]) -> dict[Group, tuple[Degeneration, ...]]:
    from evalharness.degeneration import CompletionText, analyse_all

    decode, problems = work.checkpoint.tokenizer.decode, work.problems
    return {
        group: analyse_all(
            [
                CompletionText(
                    c.text,
                    c.token_ids,
                    c.token_entropy_nats,
                    c.stop_reason,
                    problems[c.task_id].prompt,
                    c.task_id,
                    problems[c.task_id].language,
                )
                for c in members
            ],
            decode,
        )
        for group, members in completions.items()
    }


def _degeneration_rates(
    completions: Mapping[Group, tuple[Completion, ...]], analyses: Mapping[Group, tuple[Degeneration, ...]], seed: int
) -> dict[str, DegenerationRate]:
    rates = {}
    for decoding in ("greedy", "sampled"):
        groups = [group for group in completions if group[1] == decoding]
        written = [c for group in groups for c in completions[group]]
        rate = counting.degeneration_rate(written, [a for g in groups for a in analyses[g]], seed)
        if rate is not None:
            rates[str(decoding)] = rate
    return rates


def measure_loss(work: Work, measured: Measured) -> tuple[Loss, tuple[RowLoss, ...]]:
    """The logged loss, and where there is data the recomputed and the honest one, these by row too."""
    loss, by_row = _measured_loss(work, measured)
    return replace(loss, log=log_as_read(work.log_choice, (*work.log, *work.later))), by_row


def log_as_read(choice: LogChoice | None, found: Sequence[LossPoint]) -> LogChoice | None:
    """The log that was chosen, told from one in which nothing was found."""
    return choice if choice is None or not choice.is_read or found else replace(choice, relation="unreadable")


def _measured_loss(work: Work, measured: Measured) -> tuple[Loss, tuple[RowLoss, ...]]:
    from evalharness.diagnosis import CERTIFYING, TARGETS, loss_breakdown, paired_loss

    subject = measured.subject
    logged = subject.logged
    nats = None if logged is None else logged.loss_nats
    source = None if logged is None else _source(work, subject)
    validation = work.validation
    if validation is None:
        return Loss(nats, source, None, None, "not recomputed: no evalharness.toml names [data] validation"), ()
    if "module" not in work.checkpoint.model.capabilities:
        return served_loss(work, validation, (nats, source)), ()
    if len(validation.encoded) < 2:
        count = len(validation.encoded)
        few = f"not recomputed: {validation.source} has {count} rows with a target, an interval needs 2"
        return Loss(nats, source, None, None, few), ()
    is_causal, has_prefix = work.attention == "causal", work.attention == "prefix"
    rows = len(validation.encoded)
    certifying = min(rows, CERTIFYING) * -(-CERTIFYING // rows)
    work.watcher.stage("measuring the honest loss", certifying if is_causal else TARGETS)
    try:
        losses = _after_prompt(_comparable(measured)) if has_prefix else _comparable(measured)
        # Not in batches of the size that was asked for: rounding would then show in the last digits of the losses.
        both = paired_loss(
            work.checkpoint.model,
            losses,
            is_causal=is_causal,
            targets=TARGETS if work.limit is None else FEW_TARGETS,
            seed=work.options.seed,
            shortest=measured.shortest_input,
            after_prompt=has_prefix,
            advance=work.watcher.advance,
        )
        taken = loss_breakdown(
            measured, both, losses=losses, by_convention=work.limit is None and not _is_explained(measured)
        )
    except OutOfTime as over:
        return Loss(nats, source, None, None, f"not recomputed: {over}"), ()
    except EvaluationError as error:
        work.incomplete.append(Incomplete("loss", None, f"the loss could not be recomputed: {error}"))
        return Loss(nats, source, None, None, f"not recomputed: {error}"), ()
    loss = _loss(nats, source, both, _convention(work, measured, both), taken)
    return replace(loss, honest_after_prompt=has_prefix), both.by_row


def _comparable(measured: Measured) -> TokenLosses:
    """The losses of the rows as they are established, or as they are read: behind padding a prefix is another input.

    To establish them takes many passes, for which there may be no time.
    """
    if measured.limit is not None or measured.established.arrangement.left is not None:
        return measured.losses_as_read
    return measured.validation_losses


def _after_prompt(losses: TokenLosses) -> TokenLosses:
    """The rows that have a target after their prompt: one of the prompt is seen by what predicts it, as declared."""
    return tuple(row for row in losses if len(row.row.ids) > row.row.prompt_tokens)


def _is_explained(measured: Measured) -> bool:
    """Whether a cause that explains everything kept probes from being asked."""
    return any(isinstance(outcome, NotTestable) and outcome.kind == "explained" for outcome in measured.outcomes)


def _loss(
    nats: float | None, source: str | None, measured: PairedLoss, convention: str, taken: LossBreakdown | None
) -> Loss:
    whole = (nats, source, measured.parallel_nats, measured.honest_nats, convention)
    if taken is None:
        return Loss(*whole, honest_checked=measured.checked)
    return Loss(
        *whole,
        honest_checked=measured.checked,
        recomputed_bits_per_byte=taken.parallel_bits_per_byte,
        honest_bits_per_byte=taken.honest_bits_per_byte,
        whole=taken.whole,
        by_class=taken.by_class,
        by_position=taken.by_position,
        conventions=len(taken.conventions),
        reproduced_by=tuple(ConventionLoss(item.convention.words, item.loss_nats) for item in taken.reproducing),
    )


def _convention(work: Work, measured: Measured, paired: PairedLoss) -> str:
    prompt = measured.established.prompt
    is_left_out = work.manifest.loss.count_prompt is False if prompt is None else not prompt
    counted = "completion only" if is_left_out else "prompt and completion"
    name = "" if work.validation is None else work.validation.source
    least = measured.shortest_input
    after = "" if least == 1 else f" of {least} ids or more, for the model takes no fewer"
    if work.attention == "prefix":
        after += ", all of them after the prompt, whose tokens may see each other as the manifest declares"
    return (
        f"mean over {paired.targets:,} targets of {paired.rows} rows of {name}, {counted}, "
        f"each row a sequence of its own, labels not smoothed; {paired.checked:,} of the targets were predicted from "
        f"their prefix alone{after}"
    )


def _source(work: Work, subject: Subject) -> str:
    point = subject.logged
    if point is None or point not in work.log:
        return "the checkpoint's own record"
    return f"{point.source}, step {point.step}"
