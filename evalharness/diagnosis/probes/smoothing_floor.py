"""Whether the logged loss has label smoothing in it, and whether it sits on the floor that this puts under it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from evalharness.diagnosis.losses.recomputed_loss import reproducing
from evalharness.diagnosis.losses.row_means import figures, mean, shown, too_few
from evalharness.diagnosis.losses.training_agreement import logged_training
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics import floor_nats

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.losses.training_agreement import TrainingAgreement
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Interval, LossPoint, Outcome, Severity

NAME = "smoothing_floor"
STRENGTHS = (0.05, 0.1, 0.15, 0.2)
"""Label smoothing as it is used; what is declared is tried beside these."""
NEAR_NATS = 0.1
"""On the floor is within a tenth of a nat of it: the run that this was made for ended 0.02 (training) and 0.03
(validation) above its floor, and a code model of this size that predicts honestly is at more than 1 nat above."""
BELOW_NATS = 0.01
"""A log may be below its floor by what rounding and half precision do, and no further: no model can be."""


@dataclass(frozen=True, slots=True)
class _Floor:
    """One strength that would put the log's end on its floor, and the model's own smoothed loss, where measured."""

    strength: float
    floor_nats: float
    above_nats: float
    measured: Interval | None


def smoothing_floor(measured: Measured) -> Outcome:
    """Compare the end of the log with the floors, and the model's own smoothed loss with the same ones.

    A log near a floor proves nothing alone: many sound models have a loss of that size. A model that was trained to
    its floor has a smoothed loss there too, and one that was not is far above, for it spreads what it gives to other
    ids by no means evenly. Above the floor, smoothing is named if no loss without it reproduces the log. Costs nothing
    beyond the losses under all conventions.
    """
    subject = measured.subject
    last = _last(subject.log)
    if last is None:
        return NotTestable(NAME, "no_log", "the log holds no loss")
    vocabulary = subject.torch_model.vocabulary_rows
    declared = subject.declared.label_smoothing
    strengths = sorted({*STRENGTHS, *([declared] if declared is not None and 0 < declared < 1 else [])})
    floors = [_at(measured, strength, floor_nats(strength, vocabulary), last) for strength in strengths]
    logged = f"the {last.split} loss that was logged last is {last.loss_nats:.4f} nats (step {last.step})"
    near = [floor for floor in floors if -BELOW_NATS <= floor.above_nats <= NEAR_NATS]
    on = [f for f in near if f.measured is not None and f.measured.low <= f.floor_nats + NEAR_NATS]
    if on:
        return _finding(min(on, key=lambda f: abs(f.strength - (declared or 0.1))), vocabulary, logged, "contributing")
    smoothed = _smoothed_log(measured, vocabulary)
    if smoothed is not None:
        return smoothed
    unmeasured = [floor for floor in near if floor.measured is None]
    if unmeasured:
        said = next((floor for floor in unmeasured if floor.strength == declared), None)
        if said is not None:
            return _finding(said, vocabulary, logged, "note")
        return NotTestable(NAME, "no_data", f"{logged}, near a floor, but there are no rows to recompute the loss on")
    closest = min(floors, key=lambda floor: abs(floor.above_nats))
    claim = f"The log does not sit on a label-smoothing floor: {logged}, "
    if near:
        claim += (
            f"and the floor of {near[0].strength:g} over {vocabulary} ids is {near[0].floor_nats:.4f}, but this "
            f"model's own loss with that smoothing is {_shown(near[0].measured)}."
        )
        closest = near[0]
    else:
        claim += f"and the closest floor ({closest.strength:g} over {vocabulary} ids) is {closest.floor_nats:.4f}."
    return RuledOut(NAME, claim, _evidence(closest, last.loss_nats, vocabulary))


def _smoothed_log(measured: Measured, vocabulary: int) -> Finding | None:
    """The log if it is reproduced with smoothing only: contributing if a second figure has the same smoothing."""
    subject = measured.subject
    fit = [] if subject.logged is None else reproducing(measured.conventions, subject.logged.loss_nats)
    if subject.logged is None or not fit or not all(item.convention.smoothing for item in fit):
        return None
    best = fit[0]
    unsmoothed = _without_smoothing(measured.conventions, best)
    if best.convention.shift != 1 or unsmoothed is None or not unsmoothed.is_far_from(subject.logged.loss_nats):
        return None
    logged_train = logged_training(measured, best)
    training = None if logged_train is None else logged_train.agreement(lambda nats: nats)
    is_confirmed = training is not None or subject.declared.label_smoothing == best.convention.smoothing
    strength = best.convention.smoothing
    lowest = floor_nats(strength, vocabulary)
    floor = _Floor(strength, lowest, subject.logged.loss_nats - lowest, best.loss_nats)
    return _of_smoothed_log(subject.logged, floor, vocabulary, unsmoothed, training, is_confirmed=is_confirmed)


def _without_smoothing(conventions: Iterable[Recomputed], smoothed: Recomputed) -> Recomputed | None:
    """The same convention with plain labels."""
    how = replace(smoothed.convention, smoothing=0.0)
    return next((item for item in conventions if item.convention == how), None)


def _of_smoothed_log(
    logged: LossPoint,
    floor: _Floor,
    vocabulary: int,
    unsmoothed: Recomputed,
    training: TrainingAgreement | None,
    *,
    is_confirmed: bool,
) -> Finding:
    claim = (
        f"The logged validation loss has label smoothing of {floor.strength:g} in it: {logged.loss_nats:.4g} nats "
        f"(step {logged.step}) is reproduced with it only ({_shown(floor.measured)}). The true loss, without it, is "
        f"{shown(unsmoothed.loss_nats)} nats. No model brings the logged loss below {floor.floor_nats:.4g}, the "
        f"entropy of targets smoothed over {vocabulary} ids (Szegedy et al. 2016, section 7), so a falling log "
        "understates how much the true loss falls."
    )
    evidence = _evidence(floor, logged.loss_nats, vocabulary) | figures("unsmoothed", unsmoothed.loss_nats)
    if training is not None:
        computed = "with the same smoothing" if training.as_validation else "without smoothing"
        evidence |= figures("recomputed_train", training.own) | {"logged_train_nats": training.logged}
        claim += (
            f" The training loss of {training.logged:.4g} at step {training.step} agrees {computed}: recomputed it is "
            f"{shown(training.own)}."
        )
    elif not is_confirmed:
        claim += " One figure alone says so: no training loss confirms it."
    remedy = (
        "Evaluate without smoothing: label_smoothing=0.0 in cross_entropy. Trainer's label_smoothing_factor smooths "
        "evaluation as well: compute the plain loss in compute_metrics. Compare this log with no plain loss."
    )
    return Finding(NAME, "contributing" if is_confirmed else "note", claim, evidence, remedy)


def _last(log: tuple[LossPoint, ...]) -> LossPoint | None:
    """The last validation loss, else the last training loss."""
    of_validation = [point for point in log if point.split == "validation"]
    return max(of_validation or log, key=lambda point: point.step, default=None)


def _at(measured: Measured, strength: float, floor: float, last: LossPoint) -> _Floor:
    above = last.loss_nats - floor
    losses = measured.validation_losses if -BELOW_NATS <= above <= NEAR_NATS else ()
    if too_few(losses):
        return _Floor(strength, floor, above, None)
    rows = [(1 - strength) * r.nll_nats[r.counted] + strength * r.mean_nll_nats[r.counted] for r in losses]
    # An id held out by -infinity makes the smoothed loss infinite, and no log was ever written of that.
    finite = all(bool(np.isfinite(row).all()) for row in rows)
    return _Floor(strength, floor, above, mean(rows, measured.subject.seed) if finite else None)


def _finding(floor: _Floor, vocabulary: int, logged: str, severity: Severity) -> Finding:
    claim = (
        f"The logged loss sits on the floor of label smoothing: {logged}, {floor.above_nats:.4f} above the "
        f"{floor.floor_nats:.4f} that smoothing of {floor.strength:g} over {vocabulary} ids allows at best"
    )
    if floor.measured is None:
        claim += " (the smoothing is what the manifest says; there are no rows to measure it on)."
    else:
        claim += f"; recomputed with that smoothing it is {_shown(floor.measured)}."
    remedy = (
        "Read such a loss as its distance from the floor, and compare it with no loss without smoothing: log the plain "
        "negative log-likelihood beside it. Nearly perfect prediction of code is a reason to look for a leak."
    )
    return Finding(NAME, severity, claim, _evidence(floor, floor.floor_nats + floor.above_nats, vocabulary), remedy)


def _evidence(floor: _Floor, logged_nats: float, vocabulary: int) -> dict[str, float]:
    evidence = {
        "logged_nats": logged_nats,
        "label_smoothing": floor.strength,
        "vocabulary": float(vocabulary),
        "floor_nats": floor.floor_nats,
        "above_floor_nats": floor.above_nats,
    }
    return evidence if floor.measured is None else evidence | figures("smoothed", floor.measured)


def _shown(interval: Interval | None) -> str:
    return "not known" if interval is None else f"{shown(interval, 4)} nats"


PROBE = Probe(
    name=NAME,
    question="Does the logged loss have label smoothing in it, or sit on its floor?",
    run=smoothing_floor,
    order=40,
    not_worth_trying="Less label smoothing",
    at_most="contributing",
    forward_passes=64,
    needs=("log",),
    capabilities=LOGITS,
)
