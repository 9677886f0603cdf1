"""Whether anything counts in the loss: labels that are all left out give a loss of exactly 0, and nothing is learnt.

It happens where the context cuts the completions away, where a template for the answer never matches, or where the mask
is turned round. Before training the batch shows it; afterwards the log does, whose loss is 0 from its first value on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.data.training_batch import IGNORED
from evalharness.diagnosis.losses.row_means import counted_nll, mean, too_few
from evalharness.diagnosis.probe import Probe
from evalharness.records import Finding, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Split
    from evalharness.records import LossPoint, Outcome

NAME = "no_targets"
FEWEST_POINTS = 2
"""One value of exactly 0 may be anything; a log of several that begins with 0 is none of a model that learns."""
ROUNDED_NATS = 1e-3
"""A log of four decimals shows a loss below this as 0 or nearly: then it is the model's own, and nothing is missing."""
FALLEN = 0.9
"""A loss that ends a tenth below its first value has fallen: the model learned."""
MOST = 0.5
"""From half of the rows on, what has no target is most of what was trained on."""
REMEDY = (
    "Look at one batch: decode the ids whose label is not -100. If there are none, raise the maximum length (or cut "
    "the prompt, not the completion), and see that the template that marks the answer occurs in the rows."
)


def no_targets(measured: Measured) -> Outcome:
    """Look for logged losses that are exactly 0 from the beginning, though the model's loss on the data is not."""
    subject = measured.subject
    zero = [split for split in ("train", "validation") if _is_zero([p for p in subject.log if p.split == split])]
    rows, without = _cut_away(subject.train)
    evidence: dict[str, Any] = {
        "splits_of_zero": " ".join(zero),
        "logged_losses": len(subject.log),
        "training_rows": rows,
        "rows_without_completion": without,
    }
    cut = (
        f" In {without:,} of {rows:,} training rows the context of {subject.model.context_length} tokens leaves "
        "nothing of the completion."
        if without
        else ""
    )
    recomputed = _recomputed(measured)
    if recomputed is not None:
        evidence["own_nats"] = recomputed
    if not zero or (recomputed is not None and recomputed < ROUNDED_NATS):
        claim = f"Targets were counted: the logged loss is not 0 from its first value on.{cut}"
        if not rows or without < MOST * rows:
            return RuledOut(NAME, claim, evidence)
        return Finding(NAME, "contributing", cut.strip(), evidence, REMEDY)
    other = [p for p in subject.log if p.split not in zero]
    if _falls(other):
        return _of_one_split(zero[0], other, evidence)
    own = "" if recomputed is None else f", and this checkpoint's loss on the same data is {recomputed:.3g} nats"
    claim = (
        f"Nothing was counted in the loss: the logged loss ({' and '.join(zero)}) is exactly 0 from its first value "
        f"on{own}. Every label was left out, and nothing was learnt.{cut}"
    )
    return Finding(NAME, "cause", claim, evidence, REMEDY)


def _of_one_split(zero: str, other: Sequence[LossPoint], evidence: dict[str, Any]) -> Finding:
    """A loss of 0 beside one that falls: the model learned, and that log alone counts nothing."""
    first, last = (pick(other, key=lambda point: point.step).loss_nats for pick in (min, max))
    evidence |= {"other_first_nats": first, "other_last_nats": last}
    where = "validation" if zero == "validation" else "training"
    claim = (
        f"The logged {where} loss is exactly 0 at every step, and the other falls from {first:.4g} to {last:.4g} nats: "
        f"the model learned, and nothing is counted where the {where} loss is computed or logged."
    )
    remedy = (
        f"See what the loop logs in {where}: a loss that the model gives in training mode alone, a sum that is never "
        "added to, labels that are all -100, or NaN that is logged as 0. Trust the other loss."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


def no_targets_in_batch(measured: Measured) -> Outcome:
    """Count the targets of a batch, and the rows that have none."""
    targets = measured.subject.training_batch.targets or ()
    by_row = [sum(target != IGNORED for target in row) for row in targets]
    without = sum(not count for count in by_row)
    evidence = {"targets": sum(by_row), "positions": sum(map(len, targets)), "rows": len(targets), "without": without}
    if not any(by_row):
        claim = f"Nothing counts in the loss: all {evidence['positions']:,} labels of the batch are {IGNORED}."
        return Finding(NAME, "cause", f"{claim} The loss will be 0 or NaN, and nothing is learnt.", evidence, REMEDY)
    said = f"{evidence['targets']:,} of {counted(evidence['positions'], 'position')} of the batch count in the loss"
    if without < MOST * len(targets):
        return RuledOut(NAME, f"{said}; {without} of {counted(len(targets), 'row')} have no target.", evidence)
    claim = f"{without} of {counted(len(targets), 'row')} of the batch have no target at all; {said}."
    return Finding(NAME, "contributing", claim, evidence, REMEDY)


def _is_zero(points: Sequence[LossPoint]) -> bool:
    ordered = sorted(points, key=lambda point: point.step)
    return len(ordered) >= FEWEST_POINTS and all(point.loss_nats == 0 for point in ordered)


def _falls(points: Sequence[LossPoint]) -> bool:
    ordered = sorted(points, key=lambda point: point.step)
    return len(ordered) >= FEWEST_POINTS and 0 < ordered[-1].loss_nats < FALLEN * ordered[0].loss_nats


def _cut_away(split: Split | None) -> tuple[int, int]:
    """How many rows there are, and of how many the context holds the prompt alone."""
    if split is None:
        return 0, 0
    cut = [row for row in split.encoded if row.was_cut and row.prompt_tokens >= len(row.ids)]
    return len(split.encoded), len(cut)


def _recomputed(measured: Measured) -> float | None:
    """The checkpoint's loss (nats per token) on the measured rows; None without logits or rows."""
    losses = measured.validation_losses
    return None if too_few(losses) else mean(map(counted_nll, losses), measured.subject.seed).estimate


PROBE = Probe(
    name=NAME,
    question="Does anything count in the loss?",
    run=no_targets,
    order=25,
    not_worth_trying="Looking for rows without a target",
    at_most="cause",
    explains_all=True,
    forward_passes=64,
    needs=("log",),
    skipped_if_leak=True,
)
BATCH_PROBE = Probe(
    name=NAME,
    question="Does anything count in the loss of the batch?",
    run=no_targets_in_batch,
    order=25,
    at_most="cause",
    forward_passes=0,
    needs=("batch", "targets"),
    asked_of=frozenset({"batch"}),
)
