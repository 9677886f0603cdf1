"""A validation loss that is of one batch, or of answers without their first token, is said to be that."""

from dataclasses import replace

import numpy as np
import pytest
from plants_losses import STEPS
from test_units import ROWS, of_log, true_losses

from evalharness.diagnosis.losses.logged_part import logged_part
from evalharness.diagnosis.losses.row_means import counted_nll
from evalharness.diagnosis.losses.units import plain_conventions
from evalharness.records import LossPoint


def whole():
    """The convention that counts everything, and the losses of its rows."""
    item = next(
        item
        for item in plain_conventions(of_log(1.0))
        if item.convention.prompt and item.convention.end and not item.convention.by_row
    )
    return item, list(item.values_by_row())


@pytest.mark.parametrize(("kind", "some"), [("last_batch", slice(-8, None)), ("first_batch", slice(0, 4))])
def test_a_loss_of_one_batch_is_named_if_the_training_loss_agrees(kind, some):
    _, rows = whole()
    batch = float(np.concatenate(rows[some]).mean())
    _, train = true_losses()
    found = logged_part(of_log(batch, train))
    assert (found.best.kind, found.best.rows) == (kind, len(rows[some]))
    assert found.best.nats == pytest.approx(batch, abs=1e-3)
    assert found.chance < 0.25
    assert logged_part(of_log(batch, 3 * train)) is None
    assert logged_part(of_log(batch)) is None


def test_a_first_token_of_each_answer_that_never_counted_is_named():
    measured = of_log(1.0)
    item = next(
        item
        for item in plain_conventions(measured)
        if not item.convention.prompt and item.convention.end and not item.convention.by_row
    )
    of_train = measured.train_losses_in(item.layout.arrangement, prompt=False)
    # As after a training that left them out: each answer begins with what the model holds next to impossible.
    begun = [(losses, losses.nll_nats.copy()) for losses in (*item.layout.losses, *of_train)]
    try:
        for losses, _ in begun:
            losses.nll_nats[losses.row.prompt_tokens - 1] = 12.0
        batches = [np.concatenate([row[1:] for row in rows]) for rows in in_order(list(item.values_by_row()))]
        kept = float(np.mean([batch.mean() for batch in batches]))
        train = float(np.concatenate([counted_nll(row)[1:] for row in of_train]).mean())
        points = [LossPoint(1, "validation", 9.0, "log"), LossPoint(STEPS, "validation", kept, "log")]
        points.append(LossPoint(STEPS, "train", train, "log"))
        vars(measured)["subject"] = replace(measured.subject, log=tuple(points), logged=points[1])
        found = logged_part(measured)
    finally:
        for losses, before in begun:
            losses.nll_nats[:] = before
    assert found.best.kind == "without_first_token"
    assert found.best.left_out_nats == pytest.approx(12.0)


def in_order(rows):
    return [rows[at : at + 16] for at in range(0, ROWS, 16)]
