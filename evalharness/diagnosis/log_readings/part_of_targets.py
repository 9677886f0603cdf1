"""A log of a part of the targets: of one batch, of answers without their begin, of some rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.log_readings import NAME
from evalharness.diagnosis.losses.logged_part import logged_part
from evalharness.diagnosis.losses.row_means import figures, shown
from evalharness.records import Finding
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.losses.logged_part import Part
    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.measured import Measured

SMALLEST_PART, SMALLEST_PART_ROWS = 0.1, 8
"""A validation that takes some of the rows takes a tenth of a small file, and a batch of 8, or more."""


def of_some_targets(measured: Measured, said: str, evidence: dict[str, Any]) -> Finding | None:
    """Whether the log is the loss of one batch of the file, or of answers without their first token."""
    found = logged_part(measured)
    if found is None:
        return None
    part = found.best
    evidence |= figures("whole", part.whole.loss_nats) | {
        "part": part.kind,
        "part_nats": part.nats,
        "parts_tried": found.tried,
        "chance_of_a_part": found.chance,
        "logged_train": found.logged_train,
    }
    proof = (
        f"The training loss of {found.logged_train:.4g} agrees. Of {found.tried} parts of the targets it agrees "
        f"with {found.agreeing}; these would give {found.chance:.0%} of all validation losses of this size by chance."
    )
    if part.left_out_nats is not None:
        return _without_first_token(part, said, proof, evidence)
    which = "last" if part.kind == "last_batch" else "first"
    evidence[f"{which}_rows"] = part.rows
    claim = (
        f"The validation loss of the log is that of the {which} {counted(part.rows, 'row')} of the file, as if "
        f"one batch were "
        f"logged and not the mean of all: they give {part.nats:.4g} nats, and {said} is that. All {part.whole.rows} "
        f"rows give {shown(part.whole.loss_nats)} ({part.whole.convention.words}). {proof}"
    )
    remedy = "Log the mean over the targets of all batches, each batch's loss times its targets summed."
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _without_first_token(part: Part, said: str, proof: str, evidence: dict[str, Any]) -> Finding:
    evidence["first_token_nats"] = part.left_out_nats
    claim = (
        f"The first token of each answer is left out of the loss: without it the rows give {part.nats:.4g} nats, and "
        f"{said} is that; with it they give {shown(part.whole.loss_nats)} ({part.whole.convention.words}). First "
        f"tokens cost {part.left_out_nats:.3g} nats each: the model never learned to begin an answer. {proof}"
    )
    remedy = (
        "Count each answer's first token: it is the target of the prompt's last position. Shift the mask of the loss "
        "with the labels, and train again."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


def of_some_rows(near: Sequence[Recomputed], said: str, evidence: dict[str, Any]) -> Finding | None:
    """Whether a loss of some of the rows can be so far from that of all of them; then the log may be right."""
    of_all = [item for item in near if item.exact is not None]
    nearest = max(of_all, key=lambda item: item.rows_of_a_part(evidence["logged_nats"]), default=None)
    part = 0 if nearest is None else nearest.rows_of_a_part(evidence["logged_nats"])
    if nearest is None or part < max(SMALLEST_PART_ROWS, SMALLEST_PART * nearest.rows):
        return None
    evidence |= {"all_rows": nearest.rows, "rows_of_a_part": part}
    claim = (
        f"No convention gives {said} on all {counted(nearest.rows, 'row')}. The nearest is {shown(nearest.loss_nats)} "
        f"({nearest.convention.words}), as far away as the loss of {part} of these rows, drawn at random, would be. If "
        "validation takes all of them, the log is of another run, or the model is not built here as it was trained."
    )
    remedy = "Compute the validation loss over the whole file, always the same rows: it is small enough."
    return Finding(NAME, "note", claim, evidence, remedy)
