"""Whether each position is compared with the next token, or with another one."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from evalharness.diagnosis.data.training_batch import IGNORED
from evalharness.diagnosis.losses.frequencies import fair_frequencies
from evalharness.diagnosis.losses.recomputed_loss import reproducing
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS, Floats, capped, figures, mean, shown, too_few
from evalharness.diagnosis.losses.token_losses import OFFSETS, token_losses
from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.diagnosis.measured import Measured
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Interval, Outcome

NAME = "label_shift"
CLEAR = 0.95
"""An offset is that of a batch if this share of the targets is what stands there; a few may be masked or replaced."""
MARGIN_NATS = 0.5
"""Another offset has to be better by half a nat (e^0.5: 1.6 times as probable): a shifted model is off by several,
while in text of runs (indentation, rows of one token) offsets differ by little."""
REDRAWN_ROWS = 8
"""Rows on which an untrained twin is asked the same: what it prefers is plain on one."""
SAYS = {
    -1: "the token before its input",
    0: "its own input: the targets are not shifted",
    2: "the token after the next: the targets are shifted twice",
    3: "the third token from its input: the targets are shifted three times",
}


@dataclass(frozen=True, slots=True)
class BatchOffsets:
    """Which offsets make the targets of a batch equal its inputs.

    ``matching`` lists those at which all targets do; several in text that repeats itself. ``agreement`` is the share of
    the targets that do, by offset; an offset that no target could be compared at is missing.
    """

    matching: tuple[int, ...]
    agreement: dict[int, float]


def batch_offsets(
    inputs: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    *,
    ignored: int = IGNORED,
    offsets: Sequence[int] = OFFSETS,
) -> BatchOffsets:
    """Compare ``targets[row][t]`` with ``inputs[row][t + offset]`` for each offset, from the ids alone.

    1 is right where the loss is taken as it stands; 0 is right only where the model or its loss shifts by itself, as
    Hugging Face's ``labels`` do. Targets whose place is outside the row are not compared. Raises ``ValueError`` where
    the shapes differ.
    """
    if len(inputs) != len(targets) or any(len(i) != len(t) for i, t in zip(inputs, targets, strict=True)):
        raise ValueError("inputs and targets differ in shape")
    agreement = {}
    for offset in offsets:
        pairs = [
            target == row[t + offset]
            for row, of_row in zip(inputs, targets, strict=True)
            for t, target in enumerate(of_row)
            if target != ignored and 0 <= t + offset < len(row)
        ]
        if pairs:
            agreement[offset] = sum(pairs) / len(pairs)
    return BatchOffsets(tuple(o for o, share in agreement.items() if share == 1), agreement)


def label_shift(measured: Measured) -> Outcome:
    """Compare the loss against the next token with that against the tokens around it, pair by pair.

    A shift is named only where another offset is better by a margin, and there the model beats a unigram: an untrained
    one prefers some offset by chance. One with tied embeddings prefers its input untrained, so where a twin with
    redrawn weights prefers the same, the log has to decide. Costs 8 forwards beyond the losses.
    """
    subject = measured.subject
    losses = measured.validation_losses
    if reason := too_few(losses):
        return NotTestable(NAME, "too_few", reason)
    means = {offset: mean([row[i] for row in _paired(losses)], subject.seed) for i, offset in enumerate(OFFSETS)}
    best = min(OFFSETS, key=lambda offset: means[offset].estimate)
    evidence: dict[str, Any] = {"rows": len(losses), "best_offset": best}
    for offset, interval in means.items():
        evidence |= figures(f"offset_{offset}", interval)
    targets = sum(row.shape[1] for row in _paired(losses))
    compared = (
        f"over the {counted(targets, 'target')} of {counted(len(losses), 'row')} that have a token at each "
        f"offset, {shown(means[1])} nats "
        "against the next token"
    )
    others = ", ".join(f"{means[o].estimate:.3g} at offset {o}" for o in OFFSETS if o != 1)
    frequencies, scored = fair_frequencies(measured)
    gain = mean(
        [
            frequencies.unigram_losses(row.row)
            - capped(_of_targets(row.nll_nats, row.at_offset_nats, best, row.counted))
            for row in losses[scored]
        ],
        subject.seed,
    )
    evidence |= figures("better_than_unigram", gain)
    if not gain.low > 0:
        reason = f"at no offset does the model beat the frequencies of tokens: {compared}, {others}"
        return NotTestable(NAME, "undecided", reason)
    apart = _better(losses, best, subject.seed)
    evidence |= figures("margin", apart)
    if best == 1 or not apart.low > MARGIN_NATS:
        return RuledOut(NAME, _cleared(best, means, apart, compared), evidence)
    shift = f"{compared}, but {shown(means[best])} at offset {best}"
    if _is_so_untrained(measured, best) and (doubt := _doubt_of_log(measured, best)):
        reason = f"{shift}; the same model with weights drawn anew prefers that too, and {doubt}"
        return NotTestable(NAME, "undecided", reason)
    remedy = (
        "Compare the logits at each position with the id right after it, once: either shift the targets in the data, "
        "or in the loss, and not in both (Hugging Face models shift `labels` themselves). Then train again."
    )
    claim = f"Each position predicts {SAYS[best]}: {shift}."
    if at_offset := _logged_at(measured, best):
        evidence |= {"logged_by": at_offset.convention.words} | figures("logged_offset", at_offset.loss_nats)
        claim += f" So the loss is the logged one: {shown(at_offset.loss_nats)} ({at_offset.convention.words})."
    return Finding(NAME, "cause", claim, evidence, remedy)


def _cleared(best: int, means: Mapping[int, Interval], apart: Interval, compared: str) -> str:
    """Why no shift shows: the next tokens are the most probable, or another offset is better by too little."""
    runner_up = min((offset for offset in OFFSETS if offset != 1), key=lambda offset: means[offset].estimate)
    worse = means[runner_up].estimate - means[1].estimate
    if best == 1:
        return (
            f"The targets are the next tokens: {compared}; every other offset is worse, by {worse:.3g} nats or more "
            f"(offset {runner_up}: {shown(means[runner_up])})."
        )
    return (
        f"No shift shows: {compared}, and no offset is better by more than {MARGIN_NATS}, as one is where targets are "
        f"shifted: the best, {best}, is so by {apart.estimate:.3g} [{apart.low:.3g}, {apart.high:.3g}]. Text that "
        "repeats itself has about the same loss at several offsets."
    )


def _logged_at(measured: Measured, offset: int) -> Recomputed | None:
    """The convention of this offset that gives the logged loss; None without one, or without a log."""
    logged = measured.subject.logged
    fit = () if logged is None else reproducing(measured.conventions, logged.loss_nats)
    return next((item for item in fit if item.convention.shift == offset), None)


def _paired(losses: TokenLosses) -> list[Floats]:
    """By row, the losses at all offsets of the targets at which all offsets have a token; such rows alone."""
    counted = [row.at_offset_nats[:, row.counted] for row in losses]
    rows = [capped(row[:, ~np.isnan(row).any(axis=0)]) for row in counted]
    return [row for row in rows if row.shape[1]] or [np.zeros((len(OFFSETS), 1))]


def _better(losses: TokenLosses, best: int, seed: int) -> Any:
    """By how much the best offset is better than the next token."""
    return mean([row[OFFSETS.index(1)] - row[OFFSETS.index(best)] for row in _paired(losses)], seed)


def _of_targets(nll: Floats, at_offset: Floats, offset: int, counted: slice) -> Floats:
    """The losses at an offset at the row's own positions; where there is no token, the loss of the next one stands."""
    chosen = at_offset[OFFSETS.index(offset)]
    return np.where(np.isnan(chosen), nll, chosen)[counted]


def _is_so_untrained(measured: Measured, best: int) -> bool:
    """Whether it takes no training to prefer this offset."""
    rows = [row.row for row in measured.validation_losses[:REDRAWN_ROWS]]
    twin = token_losses(_untrained(measured.subject.torch_model), rows, ())
    return len(twin) >= FEWEST_ROWS and bool(_better(twin, best, measured.subject.seed).low > 0)


def _doubt_of_log(measured: Measured, best: int) -> str | None:
    """Why the log does not say that the model was trained at this offset; None if it does.

    It does if the offset alone gives the logged loss, or alone comes near it.
    """
    logged, conventions = measured.subject.logged, measured.conventions
    if logged is None:
        return "no loss was logged that tells which it was"
    said = f"the logged {logged.loss_nats:.4g} nats"
    at_offset = [item for item in conventions if item.convention.shift == best]
    nearest = min(at_offset, key=lambda item: abs(item.loss_nats.estimate - logged.loss_nats), default=None)
    if nearest is None:
        return f"{said} can't be compared: over all targets this offset is not better"
    gives = f"this offset gives {shown(nearest.loss_nats)} ({nearest.convention.words})"
    fit = reproducing(conventions, logged.loss_nats)
    if others := [item for item in fit if item.convention.shift != best]:
        also = f"{shown(others[0].loss_nats)} ({others[0].convention.words})"
        return f"the log does not tell which it was: {gives}, but {said} are also {also}"
    is_near_otherwise = any(
        not item.is_far_from(logged.loss_nats) for item in conventions if item.convention.shift != best
    )
    if fit or not (nearest.is_far_from(logged.loss_nats) or is_near_otherwise):
        return None
    return f"the log does not agree: {gives}, not {said}"


def _untrained(model: TorchModel) -> TorchModel:
    """A copy whose matrices are drawn anew, each with the spread that it has: nothing of training is left in them."""
    twin = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in twin.module.parameters():
            if parameter.dim() > 1 and parameter.is_floating_point():
                spread = float(parameter.float().std())
                parameter.copy_((torch.randn(parameter.shape, generator=generator) * spread).to(parameter))
    return twin


def shift_of_batch(measured: Measured) -> Outcome:
    """Which id, counted from its input, each target of a batch is."""
    batch = measured.subject.training_batch
    right, agreement = batch.right_offset, batch_offsets(batch.inputs, batch.targets or ()).agreement
    evidence: dict[str, Any] = {"right_offset": right} | {f"offset_{o}": share for o, share in agreement.items()}
    how = "the model shifts them itself" if batch.shifts_itself else "the loop compares position by position"
    if not agreement:
        return NotTestable(NAME, "no_data", "no target of the batch counts")
    if agreement.get(right, 0.0) >= CLEAR:
        return RuledOut(NAME, f"The targets are the next tokens: {agreement[right]:.0%} of them, and {how}.", evidence)
    best = max(agreement, key=lambda offset: agreement[offset])
    if agreement[best] < CLEAR:
        reason = (
            f"the targets equal the inputs at no offset from -1 to 3 (best: {agreement[best]:.0%} at offset {best}); "
            "this is another kind of target"
        )
        return NotTestable(NAME, "does_not_apply", reason)
    compared = OF_A_BATCH.get(best - right, "a token before its input")
    claim = f"Each position is compared with {compared} ({agreement[best]:.0%} of the targets, and {how})."
    return Finding(NAME, "cause", claim, evidence, _SHIFTED_BY_MODEL if batch.shifts_itself else _SHIFTED_BY_LOOP)


OF_A_BATCH = {
    -1: "its own input: the targets are not shifted",
    1: "the token after the next: the targets are shifted twice",
    2: "the third token: the targets are shifted three times",
}
"""By how far the offset of a batch is from the right one."""
_SHIFTED_BY_MODEL = "Pass labels that equal the inputs: the model shifts them."
_SHIFTED_BY_LOOP = (
    "Compare the logits at a position with the id right after it: inputs = ids[:, :-1], targets = ids[:, 1:]."
)


PROBE = Probe(
    name=NAME,
    question="Is each position compared with the next token?",
    run=label_shift,
    order=30,
    not_worth_trying="Shifting the labels",
    at_most="cause",
    forward_passes=64 + REDRAWN_ROWS,
    capabilities=MODULE,
    skipped_if_leak=True,
)
BATCH_PROBE = Probe(
    name=NAME,
    question="Is each target of the batch the next token?",
    run=shift_of_batch,
    order=30,
    at_most="cause",
    forward_passes=0,
    needs=("batch", "targets"),
    asked_of=frozenset({"batch", "rows"}),
)
