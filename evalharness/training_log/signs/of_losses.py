"""What the logged losses alone say of a training run: each sign tested, with its figures. No model, no data.

A sign is no proof: many are also what a sound run shows. What they leave open, a score of a checkpoint decides.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evalharness.records import Finding, LossPoint, NotTestable, Outcome, RuledOut
from evalharness.statistics import floor_nats
from evalharness.statistics.plurals import counted
from evalharness.training_log.signs.loss_words import shown
from evalharness.training_log.signs.of_restarts import repeats_after_restart
from evalharness.training_log.signs.of_rises import ends_above_its_lowest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from evalharness.records import Severity, Split
    from evalharness.training_log.reading import TrainingLog

    Numbers = npt.NDArray[np.float64]

STRENGTHS = (0.05, 0.1, 0.15, 0.2)
"""Label smoothing as it is used."""
NEAR_FLOOR_NATS, BELOW_FLOOR_NATS = 0.05, 0.01
"""The run that this was made for ended 0.02 and 0.03 nats above its floor. No model is below, but for rounding."""
STILL_FALLING = 0.75
"""On a floor a loss stays: it is there since three quarters of the run, or it only passes by."""
ROUNDED_NATS = 0.01
"""A log with two to four digits gives what is below as 0.00 soon after."""
NEAR_LEVEL = 0.02
"""A plateau is at a level within 2 % of it: for 50,000 ids 0.2 nats, and the entropy of tokens is 3 nats below."""
SPIKE_NATS, SPIKE_DEVIATIONS, AROUND = 0.5, 6.0, 5
"""A spike is half a nat and six deviations above the median of itself and five losses on each side."""
FEWEST = 20
"""Fewer training losses show no spike and no plateau."""
FEWEST_PAIRS = 3
GAP_NATS = 0.02
HALVED, FROM_STEP, BELOW_NATS = 0.5, 50, 2.0
"""While its steps double a loss halves, to less than 2 nats. Sound runs on text fall to 0.65 of it at most (the small
code model of ``checkpoints/causal``, steps 50 to 100), ones that see the answer to 0.41 and 0.06."""
NOT_CHECKED = (
    "whether the model sees later tokens",
    "which tokens count in the loss",
    "whether the checkpoint has this loss",
    "what the model writes",
)
"""What no log tells, and ``evalharness score`` does."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a run beside its losses; None is unknown.

    ``vocabulary`` in ids, ``unigram_nats`` the entropy of the tokens' frequencies in nats, ``dropout`` the highest
    share that is dropped in training, ``label_smoothing`` as the manifest declares it.
    """

    vocabulary: int | None = None
    unigram_nats: float | None = None
    dropout: float | None = None
    label_smoothing: float | None = None


class Series(NamedTuple):
    """One split's finite losses by step."""

    steps: Numbers
    nats: Numbers


def signs(log: TrainingLog, known: Known) -> tuple[Outcome, ...]:
    """Test every sign; findings come in the order of :data:`SIGNS`."""
    return tuple(sign(log, known) for sign in SIGNS)


def series(log: TrainingLog, split: Split) -> Series:
    """The finite losses of a split."""
    points = [p for p in log.points if p.split == split and math.isfinite(p.loss_nats)]
    return Series(np.array([p.step for p in points], float), np.array([p.loss_nats for p in points], float))


def not_finite(log: TrainingLog, _known: Known) -> Outcome:
    """Look for losses that are NaN or infinite."""
    odd = [point for point in log.points if not math.isfinite(point.loss_nats)]
    evidence = {"losses": len(log.points), "not_finite": len(odd), **_first(odd)}
    if not odd:
        return RuledOut("not_finite", f"Each of {counted(len(log.points), 'loss', 'losses')} is a number.", evidence)
    claim = (
        f"{len(odd):,} of {counted(len(log.points), 'loss', 'losses')} are NaN or infinite, the first at step "
        f"{odd[0].step:,}."
    )
    remedy = "Go back to a checkpoint before it; look at the learning rate and at half precision."
    return Finding("not_finite", "contributing", claim, evidence, remedy)


def zero_loss(log: TrainingLog, _known: Known) -> Outcome:
    """Look for losses of exactly 0, and below."""
    odd = [point for point in log.points if point.loss_nats <= 0]
    evidence = {"losses": len(log.points), "zero_or_less": len(odd), **_first(odd)}
    if not odd:
        return RuledOut("zero_loss", f"Each of {counted(len(log.points), 'loss', 'losses')} is above 0.", evidence)
    claim = (
        f"{len(odd):,} of {counted(len(log.points), 'loss', 'losses')} are 0 or less, the first at step "
        f"{odd[0].step:,}."
    )
    if _fell_to_zero(log, odd):
        claim += " The losses before it are as small as a log's last digits: it is rounded."
        remedy = "Look at the validation loss: a training loss this low means that the rows are known by heart."
        return Finding("zero_loss", "note", claim, evidence, remedy)
    remedy = "Count the targets of a batch: where all labels are masked the loss is 0. Below 0 it is no cross entropy."
    return Finding("zero_loss", "contributing", claim, evidence, remedy)


def _fell_to_zero(log: TrainingLog, odd: Sequence[LossPoint]) -> bool:
    """Whether every loss of 0 follows one of its split that was next to nothing: a log rounds those to 0."""
    last: dict[Split, float] = {}
    for point in log.points:
        if point in odd and (point.loss_nats < 0 or last.get(point.split, math.inf) > ROUNDED_NATS):
            return False
        last[point.split] = point.loss_nats
    return True


def smoothing_floor(log: TrainingLog, known: Known) -> Outcome:
    """Compare the end of the log with the floors that label smoothing puts under every model."""
    name = "smoothing_floor"
    last = _end(log)
    if last is None or known.vocabulary is None:
        return _no_vocabulary(name) if last else _no_losses(name)
    declared = known.label_smoothing
    strengths = [declared] if declared else STRENGTHS
    floors = {strength: floor_nats(strength, known.vocabulary) for strength in strengths}
    strength, floor = min(floors.items(), key=lambda item: abs(last - item[1]))
    evidence = {"last_nats": last, "strength": strength, "floor_nats": floor, "vocabulary": known.vocabulary}
    said = f"the log ends at {shown(last)} nats, and smoothing of {strength:g} over {known.vocabulary:,} ids"
    passes_by = not declared and _before_the_end(log) - floor > 2 * NEAR_FLOOR_NATS
    if passes_by or not -BELOW_FLOOR_NATS <= last - floor <= NEAR_FLOOR_NATS:
        return RuledOut(name, f"The loss stays on no floor of label smoothing: {said} allows {shown(floor)}.", evidence)
    claim = f"The loss may sit on the floor of label smoothing: {said} allows {shown(floor)} at best."
    remedy = "If the loss is smoothed, log it without smoothing as well: on its floor a smoothed loss shows nothing."
    return Finding(name, "contributing" if declared else "note", claim, evidence, remedy)


def plateau(log: TrainingLog, known: Known) -> Outcome:
    """Compare the second half of the training losses with those of a model without context."""
    name = "plateau"
    _, nats = series(log, "train")
    if len(nats) < FEWEST:
        return _too_few(name, len(nats))
    level = float(np.median(nats[len(nats) // 2 :]))
    evidence = {"level_nats": level, "vocabulary": known.vocabulary, "unigram_nats": known.unigram_nats}
    if float(np.ptp(nats)) == 0:
        remedy = "Check that the optimiser steps, and that the parameters need gradients."
        return Finding(name, "contributing", f"All {len(nats):,} training losses are {shown(level)}.", evidence, remedy)
    levels = {
        "that of equal chances for all ids": None if known.vocabulary is None else math.log(known.vocabulary),
        "the entropy of the tokens' frequencies": known.unigram_nats,
    }
    for words, at in levels.items():
        if at is not None and abs(level - at) <= NEAR_LEVEL * at:
            claim = f"The second half of the training losses stays at {shown(level)} nats, {words} ({shown(at)})."
            remedy = "The model learned nothing of the order of tokens: check labels, gradients and learning rate."
            return Finding(name, "contributing", claim, evidence, remedy)
    if None in levels.values():
        return _no_vocabulary(name) if known.vocabulary is None else _no_frequencies(name, level)
    claim = (
        f"The second half of the training losses, {shown(level)} nats, is at neither level of a model without context."
    )
    return RuledOut(name, claim, evidence)


def spikes(log: TrainingLog, _known: Known) -> Outcome:
    """Look for training losses far above those around them."""
    steps, nats = series(log, "train")
    if len(nats) < FEWEST:
        return _too_few("spikes", len(nats))
    padded = np.pad(nats, AROUND, mode="edge")
    above = nats - np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1), axis=1)
    deviation = 1.4826 * float(np.median(np.abs(above)))
    # The first losses of a run fall so fast that they are above those around them.
    indices = np.flatnonzero(above > max(SPIKE_NATS, SPIKE_DEVIATIONS * deviation))
    indices = indices[indices > AROUND]
    evidence = {"losses": len(nats), "spikes": len(indices), "deviation_nats": deviation}
    if not len(indices):
        return RuledOut("spikes", f"None of {len(nats):,} training losses is far above those around it.", evidence)
    highest = indices[np.argmax(above[indices])]
    evidence |= {"step": int(steps[highest]), "above_nats": float(above[highest])}
    claim = (
        f"{len(indices):,} of {len(nats):,} training losses are spikes; the highest is {above[highest]:.2f} nats above "
        f"those around it, at step {int(steps[highest]):,}."
    )
    remedy = "Look at the batch of that step, at the gradient's norm and at the learning rate."
    return Finding("spikes", "note", claim, evidence, remedy)


def validation_below_training(log: TrainingLog, known: Known) -> Outcome:
    """Compare each validation of the second half with the training losses since the one before it."""
    name = "validation_below_training"
    gaps = _gaps(series(log, "train"), series(log, "validation"))
    if len(gaps) < FEWEST_PAIRS:
        return _too_few(name, len(gaps), "validations with training losses before them")
    mean, error = float(np.mean(gaps)), float(np.std(gaps, ddof=1)) / math.sqrt(len(gaps))
    evidence = {"validations": len(gaps), "gap_nats": mean, "standard_error_nats": error, "dropout": known.dropout}
    if mean >= -max(GAP_NATS, 2 * error):
        claim = f"Validation is not below training: it differs by {shown(mean, '+')} nats over {len(gaps)} validations."
        return RuledOut(name, claim, evidence)
    claim = f"Validation is {shown(-mean)} nats below training over {len(gaps)} validations"
    if known.dropout:
        claim += f"; dropout of {known.dropout:g} raises the training loss, which may explain it."
    elif known.dropout is None:
        claim += "; dropout in training, if there is some, may explain it."
    else:
        claim += ", and there is no dropout that could explain it."
    remedy = "Compare both losses on the same rows; look for easier or repeated rows in validation."
    return Finding(name, "contributing" if known.dropout == 0 else "note", claim, evidence, remedy)


def falls_too_fast(log: TrainingLog, _known: Known) -> Outcome:
    """Look for a loss that halves while its steps double: a model that learns text does not."""
    name = "falls_too_fast"
    split: Split = "validation" if len(series(log, "validation").steps) >= FEWEST_PAIRS else "train"
    steps, nats = series(log, split)
    falls = list(_falls(steps, nats))
    if not falls:
        return _too_few(name, len(nats), f"{split} losses from step {FROM_STEP} on")
    ratio, begin, end = min(falls)
    evidence = {"split": split, "ratio": ratio, "from_step": int(steps[begin]), "to_step": int(steps[end])}
    said = (
        f"from step {int(steps[begin]):,} to {int(steps[end]):,} the {split} loss falls from {shown(nats[begin])} to "
        f"{shown(nats[end])} nats"
    )
    if ratio > HALVED or nats[end] > BELOW_NATS:
        return RuledOut(name, f"It falls no faster than models learn: {said}.", evidence)
    remedy = "Models of text learn more slowly: look for the answer in the input, with evalharness score."
    if split == "train":
        remedy = "Rows that come again and again fall like this, and so does an answer in the input: log a validation."
    severity: Severity = "contributing" if split == "validation" else "note"
    return Finding(name, severity, f"It falls faster than models learn: {said}.", evidence, remedy)


def _falls(steps: Numbers, nats: Numbers) -> Iterator[tuple[float, int, int]]:
    """How much of each loss is left when its steps have doubled, with both places."""
    for begin in np.flatnonzero(steps >= FROM_STEP):
        end = int(np.searchsorted(steps, 2 * steps[begin], side="right")) - 1
        if end > begin and nats[begin] > 0:
            yield float(nats[end] / nats[begin]), int(begin), end


def _gaps(train: Series, validation: Series) -> Numbers:
    """Validation minus the mean training loss since the validation before, for the second half of the validations."""
    gaps = []
    for at in range(len(validation.steps) // 2, len(validation.steps)):
        after = validation.steps[at - 1] if at else -math.inf
        since = train.nats[(train.steps > after) & (train.steps <= validation.steps[at])]
        if len(since):
            gaps.append(validation.nats[at] - since.mean())
    return np.array(gaps)


def _end(log: TrainingLog) -> float | None:
    """The last validation loss, else the median of the last training losses: one batch's is noise."""
    validation, train = series(log, "validation").nats, series(log, "train").nats
    if len(validation):
        return float(validation[-1])
    return float(np.median(train[-AROUND:])) if len(train) else None


def _before_the_end(log: TrainingLog) -> float:
    """The loss that :func:`_end` gives, at three quarters of the run."""
    last_step = max(point.step for point in log.points)
    earlier = [point for point in log.points if point.step <= STILL_FALLING * last_step]
    return _end(dataclasses.replace(log, points=tuple(earlier))) or math.inf


def _first(points: Sequence[LossPoint]) -> dict[str, int]:
    return {"first_step": points[0].step} if points else {}


def _no_losses(name: str) -> NotTestable:
    return NotTestable(name, "no_log", "the log holds no loss")


def _no_vocabulary(name: str) -> NotTestable:
    return NotTestable(name, "not_known", "the size of the vocabulary is not known: --vocabulary gives it")


def _no_frequencies(name: str, level: float) -> NotTestable:
    reason = f"{shown(level)} nats is not that of equal chances; the tokens' entropy is not known: --unigram gives it"
    return NotTestable(name, "not_known", reason)


def _too_few(name: str, count: int, counted: str = "training losses") -> NotTestable:
    return NotTestable(name, "too_few", f"{count:,} {counted} are too few")


SIGNS: tuple[Callable[[TrainingLog, Known], Outcome], ...] = (
    not_finite,
    zero_loss,
    falls_too_fast,
    smoothing_floor,
    plateau,
    validation_below_training,
    lambda log, _known: ends_above_its_lowest(series(log, "train"), series(log, "validation")),
    lambda log, _known: repeats_after_restart([file.points for file in log.files]),
    spikes,
)
"""The most telling first."""
