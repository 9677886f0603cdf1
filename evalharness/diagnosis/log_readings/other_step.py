"""Weights of another step of the same run: what is called the best are the last ones, or a file was not replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.log_readings import NAME
from evalharness.diagnosis.losses.row_means import shown
from evalharness.diagnosis.losses.training_agreement import logged_training
from evalharness.records import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import LossPoint


def of_another_step(
    measured: Measured, near: Sequence[Recomputed], said: str, evidence: dict[str, Any]
) -> Finding | None:
    """Whether both logged losses of another step are this checkpoint's, where those of its own step are not.

    Costs the losses of the training rows in the layouts that the log may have.
    """
    subject = measured.subject
    now = None if subject.logged is None else subject.logged.step
    points = [p for p in (*subject.log, *subject.later) if p.split == "validation" and p.step != now]
    for item in sorted(near, key=lambda own: not own.as_given):
        if item.exact is None or not (item.convention.is_plain and item.layout.is_rows_alone):
            continue
        point = min(points, key=lambda p: abs(p.loss_nats - item.loss_nats.estimate), default=None)
        if point is not None and item.reproduces(point.loss_nats) and _training_says_so(measured, item, point):
            return _finding(item, point, said, evidence)
    return None


def _training_says_so(measured: Measured, item: Recomputed, point: LossPoint) -> bool:
    """Whether the training loss of the other step fits, and that of the checkpoint's own step does not."""
    there, here = logged_training(measured, item, point.step), logged_training(measured, item)
    if there is None or there.agreement(lambda nats: nats) is None:
        return False
    return here is None or here.agreement(lambda nats: nats) is None


def _finding(item: Recomputed, point: LossPoint, said: str, evidence: dict[str, Any]) -> Finding:
    own = item.loss_nats
    evidence |= {
        "other_step": point.step,
        "other_step_logged_nats": point.loss_nats,
        "at_its_step_nats": evidence["logged_nats"] + own.estimate - point.loss_nats,
    }
    claim = (
        f"These are the weights of step {point.step}: {said} is not theirs, but the {point.loss_nats:.4g} nats that "
        f"were logged at step {point.step} are (they give {shown(own)}, {item.convention.words}), and so is the "
        "training loss there."
    )
    remedy = (
        "Save the weights when they are the best: model.state_dict() is no copy, so keep a deep copy or write the "
        "file at once. Else correct the step that the file or its name says."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)
