"""A log whose training loss is another than that of the checkpoint, while the validation loss is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.log_readings import NAME
from evalharness.diagnosis.losses.batch_means import batch_means
from evalharness.diagnosis.losses.logged_training import above_untrained, logged_multiple, smoothed_in_training
from evalharness.diagnosis.losses.row_means import figures, shown
from evalharness.diagnosis.losses.rows_by_place import known_part
from evalharness.records import Finding
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from evalharness.diagnosis.measured import Measured


def another_training_loss(measured: Measured, evidence: dict[str, Any]) -> Finding | None:
    """Whether the logged training loss is smoothed, an average of batches' means, or a multiple of the true one."""
    return _smoothed(measured, evidence) or _mean_of_means(measured, evidence) or _multiplied(measured, evidence)


def _mean_of_means(measured: Measured, evidence: dict[str, Any]) -> Finding | None:
    """Whether the logged training loss is the mean of the means of small batches, however many targets each has.

    A note: as many logs are right so, and the validation loss tells what the model is worth.
    """
    means = batch_means(measured)
    if means is None or known_part(measured) is not None:
        return None
    evidence |= figures("over_tokens", means.over_tokens) | figures("over_batches", means.over_batches)
    evidence |= {
        "train_mean_of_means": True,
        "rows_of_a_batch": means.rows,
        "logged_train_over_validation": means.logged,
    }
    own = means.validation_nats
    of_batch = "row by row" if means.rows == 1 else f"over batches of {means.rows} rows"
    claim = (
        f"The logged training loss is a mean of means, in which a short row counts as much as a long one: it is "
        f"{means.logged:.2f} times the validation loss ({counted(means.lines, 'line')} of the log); averaged "
        f"{of_batch} training rows give {means.over_batches.estimate / own:.2f} times it, and over all their tokens "
        f"{means.over_tokens.estimate / own:.2f} times. Gradients weigh tokens as this loss does: those of short rows "
        "count for more. The logged validation loss is over all tokens, and right."
    )
    remedy = (
        "Divide the summed loss of a step by the number of targets in all its batches, those of gradient accumulation "
        "and of every process (num_items_in_batch of the Hugging Face Trainer), before the backward pass."
    )
    return Finding(NAME, "note", claim, evidence, remedy)


def _smoothed(measured: Measured, evidence: dict[str, Any]) -> Finding | None:
    """Whether label smoothing in training alone would give the logged training loss; the validation loss is right."""
    smoothed = smoothed_in_training(measured)
    if smoothed is None:
        return None
    evidence |= figures("smoothed_train", smoothed.loss) | {
        "logged_train_nats": smoothed.point.loss_nats,
        "train_label_smoothing": smoothed.strength,
    }
    claim = (
        f"Label smoothing in training explains the logged training loss: {smoothed.point.loss_nats:.4g} nats at step "
        f"{smoothed.point.step}; with smoothing of {smoothed.strength:g} this checkpoint gives "
        f"{shown(smoothed.loss)} on training rows. The logged validation loss is right, and so is the model."
    )
    remedy = "Log the training loss without smoothing beside it: only that can be compared with the validation loss."
    return Finding(NAME, "note", claim, evidence, remedy)


def _multiplied(measured: Measured, evidence: dict[str, Any]) -> Finding | None:
    """Whether the validation loss is right and the training loss in the log is a multiple of the true one."""
    multiple = logged_multiple(measured)
    if multiple is None or known_part(measured) is not None:  # then the loss of the known rows was logged
        return None
    evidence |= figures("recomputed_train", multiple.own) | {
        "logged_train_nats": multiple.point.loss_nats,
        "train_factor": multiple.factor,
        "chance_of_a_multiple": multiple.chance,
    }
    many = f"{multiple.times} times" if multiple.factor > 1 else f"1/{multiple.times} of"
    claim = (
        f"The logged training loss is {many} the true one: {multiple.point.loss_nats:.4g} nats were logged at step "
        f"{multiple.point.step}, and on training rows this checkpoint gives {shown(multiple.own)} (a factor of "
        f"{multiple.factor:.2f}; of the factors of this size {multiple.chance:.0%} are as near to a whole number)."
        f"{_first(measured, evidence)} The logged validation loss is right, and so is the model."
    )
    remedy = (
        f"Look for gradient accumulation over {multiple.times} batches: the logger adds up their losses, or divides "
        "them once too often. The gradients may be right all the same; compare their norm with that of one large "
        "batch."
    )
    return Finding(NAME, "contributing" if multiple.factor > 1 else "note", claim, evidence, remedy)


def _first(measured: Measured, evidence: dict[str, Any]) -> str:
    """The second figure: a log that begins above the loss of an untrained model."""
    above = above_untrained(measured)
    if above is None:
        return ""
    evidence |= {"first_logged_train_nats": above.point.loss_nats, "uniform_nats": above.uniform_nats}
    return (
        f" The log begins with {above.point.loss_nats:.4g} nats (step {above.point.step}), where a model that knows "
        f"nothing has {above.uniform_nats:.4g}."
    )
