"""Whether most of what the loss counts is padding."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.data.training_batch import IGNORED
from evalharness.diagnosis.losses.conventions import is_settled_by_rows_alone
from evalharness.diagnosis.losses.recomputed_loss import plain, reproducing
from evalharness.diagnosis.losses.row_means import figures, shown
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.data.training_batch import TrainingBatch
    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Outcome, Severity

NAME = "padding_in_loss"
SOME = 0.05
"""Less padding than one target in twenty moves a loss by less than runs with other seeds do."""
RUN = 8
"""This many equal targets at the end of a row are padding even if nobody named it: code ends in one or two newlines."""
MOST = 0.5
"""Most of the targets is more than half of them: the loss then says more about padding than about text."""
EASIER = 0.5
"""Padding makes a loss look better only where it is much easier than the text: at most half of its loss."""
LEARNED_NATS = 1.0
"""An id that stands in no row and is given more than a third (e^-1) after every row was learned as a target: one that
never was a target is given less than any id that was."""
REMEDY = (
    "Leave padding out of the loss (ignore_index, or a mask on the targets) in training and in validation, and read "
    "the loss without it as this run's."
)


def padding_in_loss(measured: Measured) -> Outcome:
    """Recompute the loss with padding and without, and see which the log is of and whether padding was learned.

    A cause only where the log is reproduced with padding and not without, most targets are padding, and padding is
    much easier than text. A model that was never trained on its padding finds it hard, whatever its log.
    """
    subject = measured.subject
    conventions = measured.conventions
    own = plain(conventions, prompt=subject.declared.count_prompt is not False)
    padded = [item for item in conventions if item.convention.padding and item.padding_share > 0]
    if own is not None and subject.logged is not None and is_settled_by_rows_alone(subject, conventions):
        claim = f"The logged loss is reproduced without padding: {subject.logged.loss_nats:.4g} nats were logged"
        evidence = {"logged_nats": subject.logged.loss_nats} | figures("without_padding", own.loss_nats)
        return RuledOut(NAME, f"{claim}, and {shown(own.loss_nats)} are recomputed without.", evidence)
    if own is None or not padded:
        return NotTestable(NAME, "does_not_apply", "nothing is padded: there are too few rows, or all fill the context")
    learned = [item for item in padded if _is_learned(item)]
    if subject.logged is None:
        return _by_the_model_alone(own, padded, learned)
    logged = subject.logged.loss_nats
    deflated = [item for item in reproducing(padded, logged) if _deflates(item, own)]
    others = reproducing([item for item in conventions if not item.convention.padding], logged)
    evidence = _evidence((deflated or learned or padded)[0], own) | {"logged_nats": logged}
    evidence |= {"reproduced_with_padding": len(deflated), "reproduced_without_padding": len(others)}
    said = f"{logged:.4g} nats were logged; {_compared((deflated or learned or padded)[0], own)}"
    if deflated and (learned or not others):
        severity: Severity = "cause" if not others and evidence["padding_share"] > MOST else "contributing"
        claim = f"The logged loss counts padding, {100 * evidence['padding_share']:.0f} % of its targets: {said}."
        return Finding(NAME, severity, claim, evidence, REMEDY)
    if others:
        return RuledOut(NAME, f"The logged loss is reproduced without padding: {said}.", evidence)
    return NotTestable(NAME, "undecided", f"the logged loss is reproduced neither with padding nor without: {said}")


def _by_the_model_alone(own: Recomputed, padded: Sequence[Recomputed], learned: Sequence[Recomputed]) -> Outcome:
    """Without a logged loss the question is whether padding was a target in training."""
    if learned:
        easiest = min(learned, key=lambda item: item.padding_nats or 0.0)
        evidence = _evidence(easiest, own)
        claim = f"The model was trained to predict its padding: {_compared(easiest, own)}."
        return Finding(NAME, "contributing", claim, evidence, REMEDY)
    known = [item for item in padded if item.padding_known]
    if not known:
        return NotTestable(NAME, "no_log", "no loss was logged for this step, and the padding id is not known")
    claim = f"The padding was no target in training: {_compared(known[0], own)}."
    return RuledOut(NAME, claim, _evidence(known[0], own))


def _is_learned(item: Recomputed) -> bool:
    return item.padding_known and item.padding_nats is not None and item.padding_nats < LEARNED_NATS


def _deflates(item: Recomputed, own: Recomputed) -> bool:
    return item.padding_nats is not None and item.padding_nats < EASIER * own.loss_nats.estimate


def _compared(item: Recomputed, own: Recomputed) -> str:
    return (
        f"with padding the loss is {shown(item.loss_nats)} nats ({item.convention.words}), without it "
        f"{shown(own.loss_nats)}, on padding alone {item.padding_nats or 0.0:.3g}"
    )


def _evidence(item: Recomputed, own: Recomputed) -> dict[str, Any]:
    return {
        "padding_share": item.padding_share,
        "padding_nats": item.padding_nats,
        "convention": item.convention.words,
        "rows": item.rows,
    } | figures("with_padding", item.loss_nats) | figures("without_padding", own.loss_nats)  # fmt: skip


def padding_of_batch(measured: Measured) -> Outcome:
    """What share of the targets of a batch is padding, among those that count."""
    batch, end = measured.subject.training_batch, measured.subject.end_ids
    targets = batch.targets or ()
    counting = sum(t != IGNORED for row in targets for t in row)
    if not counting:
        return NotTestable(NAME, "no_data", "no target of the batch counts")
    padded = sum(_padded_targets(batch, i, row, end) for i, row in enumerate(targets))
    share = padded / counting
    evidence = {"targets": counting, "padding": padded, "share": share, "rows": len(targets)}
    figures_of = f"{padded:,} of {counted(counting, 'target')} that count are padding ({share:.0%})"
    if share <= SOME:
        return RuledOut(NAME, f"The loss does not count padding: {figures_of}.", evidence)
    remedy = f"Give padding the target {IGNORED} (ignore_index), or mask it in the loss."
    severity: Severity = "cause" if share > MOST else "contributing"
    return Finding(NAME, severity, f"The loss counts padding: {figures_of}.", evidence, remedy)


def _padded_targets(batch: TrainingBatch, number: int, targets: Sequence[int], end: frozenset[int]) -> int:
    """How many targets of one row count and are padding: masked in the input, named so, or a run of one id."""
    if batch.attended is not None and not all(batch.attended[number]):
        mask = batch.attended[number]
        return sum(t != IGNORED and not attended for t, attended in zip(targets, mask, strict=True))
    last = targets[-1]
    if last == IGNORED:
        return 0
    run = len(list(takewhile(lambda t: t == last, reversed(targets))))
    padding = batch.tokens.padding
    if last in padding and last not in end:
        return run
    # The first of a run of end tokens is the end; the rest is what the row was filled up with.
    return run - 1 if (last in padding | end and run > 1) or run >= RUN else 0


PROBE = Probe(
    name=NAME,
    question="Is most of what the loss counts padding?",
    run=padding_in_loss,
    order=50,
    not_worth_trying="Masking the padding in the loss",
    at_most="cause",
    forward_passes=350,
    skipped_if_repaired=True,
    capabilities=LOGITS,
    skipped_if_leak=True,
)
BATCH_PROBE = Probe(
    name=NAME,
    question="Is most of what the loss counts padding?",
    run=padding_of_batch,
    order=50,
    at_most="cause",
    forward_passes=0,
    needs=("batch", "targets"),
    asked_of=frozenset({"batch", "rows"}),
)
