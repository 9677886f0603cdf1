"""A log in another unit than nats per token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.log_readings import NAME
from evalharness.diagnosis.losses.row_means import figures, shown
from evalharness.diagnosis.losses.units import logged_unit
from evalharness.records import Finding

if TYPE_CHECKING:
    from evalharness.diagnosis.measured import Measured


def in_another_unit(measured: Measured, said: str, evidence: dict[str, Any]) -> Finding | None:
    """Whether the log is this model's, in another unit than nats per token."""
    found = logged_unit(measured)
    if found is None:
        return None
    unit, shown_by, training = found.best.unit, found.best.shown_by, found.best.training
    logged, own = evidence["logged_nats"], shown_by.loss_nats
    nats = unit.nats(logged)
    evidence |= figures("plain", own) | figures("recomputed_train", training.own)
    evidence |= {
        "unit": unit.name,
        "factor": logged / own.estimate,
        "logged_in_nats": nats,
        "units_tried": found.tried,
        "units_with_training": found.agreeing,
        "chance_of_a_unit": found.chance,
        "logged_train": training.logged,
        "train_in_unit": training.as_validation,
    }
    of = "The log" if training.as_validation else "The validation loss of the log"
    same = "in the same unit" if training.as_validation else "in nats per token"
    claim = (
        f"{of} is {unit.words}: {said} then mean {nats:.4g} nats per token, and this checkpoint gives "
        f"{shown(own)} ({shown_by.convention.words}). The training loss of {training.logged:.4g} at step "
        f"{training.step} agrees {same}: recomputed it is {shown(training.own)} nats. "
        f"Of {found.tried} pairs of unit and convention the training loss agrees with {found.agreeing}, and "
        f"these would reproduce {found.chance:.0%} of all validation losses of this size by chance."
    )
    remedy = "Log the mean loss in nats per token, and compare this log with no other before you have converted it."
    return Finding(NAME, "contributing", claim, evidence, remedy)
