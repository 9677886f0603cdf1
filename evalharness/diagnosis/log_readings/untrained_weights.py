"""Weights from before training beside the log of a training: an average that was never updated, a model drawn anew."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.log_readings import NAME
from evalharness.diagnosis.losses.frequencies import AT_RANDOM
from evalharness.diagnosis.losses.row_means import capped, mean, shown
from evalharness.records import Finding

if TYPE_CHECKING:
    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.measured import Measured


EVEN_NATS = 0.3
"""As far the loss, and that of all ids alike, may be above the logarithm of the vocabulary: a model that is drawn small
takes all ids for nearly as probable. One that was trained and reads other ids, say, is sure of the wrong ones."""


def of_untrained_weights(measured: Measured, own: Recomputed, said: str, evidence: dict[str, Any]) -> Finding | None:
    """Whether the model takes every token for nearly as probable, and knows nothing of the rows."""
    subject = measured.subject
    at_random = math.log(subject.torch_model.vocabulary_rows)
    if own.loss_nats.low < AT_RANDOM * at_random or evidence["logged_nats"] > AT_RANDOM * at_random:
        return None
    of_all_ids = mean([capped(row.mean_nll_nats[row.counted]) for row in measured.validation_losses], subject.seed)
    if max(own.loss_nats.estimate, of_all_ids.estimate) > at_random + EVEN_NATS:
        return None
    evidence |= {"untrained": True, "at_random_nats": at_random}
    claim = (
        f"The weights of this checkpoint know nothing: their loss is {shown(own.loss_nats)} nats, and guessing among "
        f"{subject.torch_model.vocabulary_rows:,} ids costs {at_random:.3f}; {said} is that of weights that were "
        "trained."
    )
    if first := _first_logged(measured, own):
        claim += f" The log begins with {first:.4g} nats."
        evidence["first_logged_nats"] = first
    remedy = (
        "See which weights are saved: an average (EMA) whose update is never called, a model that is built anew before "
        "it is saved, or one whose names fit none of those that are loaded (strict=False) is as before the first step."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _first_logged(measured: Measured, own: Recomputed) -> float | None:
    """The first validation loss of the log, if it is as high."""
    points = sorted((p for p in measured.subject.log if p.split == "validation"), key=lambda point: point.step)
    return points[0].loss_nats if points and own.reproduces(points[0].loss_nats) else None
