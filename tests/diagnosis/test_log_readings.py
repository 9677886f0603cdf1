"""What a log is, if it is not that of this checkpoint at this step: of no training, of another step, of some rows."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from plants_repairs import few, reorder_ids
from small_sound import of, sound, trained
from small_training import data_rows, encoded, plain, subject
from whole import log_of

from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.losses import rows_by_place
from evalharness.diagnosis.losses.counted_losses import Counting, counted_losses, figure
from evalharness.diagnosis.losses.rows_by_place import known_part
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.loss_mismatch import loss_mismatch
from evalharness.diagnosis.probes.overfit import overfit
from evalharness.records import Finding, LossPoint, RuledOut

KNOWN = 16


def loss_of(known, split):
    rows = counted_losses(known.torch_model, split.encoded, known.end_ids)
    return figure(rows, Counting(prompt=True, end=True), 0).estimate


def with_log(known, *points):
    log = tuple(LossPoint(step, split, nats, "log") for step, split, nats in points)
    return replace(known, log=log, logged=next(p for p in reversed(log) if p.split == "validation" and p.step == 100))


def test_weights_that_were_never_trained_are_called_so():
    torch.manual_seed(0)
    known = few(subject(plain(), end=True))
    log = log_of(few(of(sound("plain"))))
    found = loss_mismatch(Measured(replace(known, **log)))
    assert isinstance(found, Finding)
    assert found.evidence["untrained"]


def test_weights_that_are_sure_of_the_wrong_ids_were_trained():
    known = few(of(sound("plain")))
    log = log_of(known)
    reorder_ids(known.torch_model.module)
    found = loss_mismatch(Measured(replace(known, **log)))
    assert isinstance(found, Finding)
    assert found.evidence["plain_nats"] > log["logged"].loss_nats
    assert "untrained" not in found.evidence


@pytest.mark.parametrize(("train_there", "is_named"), [(1.0, True), (2.0, False)])
def test_weights_of_another_step_are_named_if_both_of_its_losses_are_theirs(train_there, is_named):
    known = few(of(sound("plain")))
    own, train = loss_of(known, known.validation), loss_of(known, known.train)
    later = (LossPoint(300, "validation", own, "log"), LossPoint(300, "train", train * train_there, "log"))
    known = with_log(replace(known, later=later), (100, "train", 3 * train), (100, "validation", 1.8 * own))
    found = loss_mismatch(Measured(known))
    assert found.evidence.get("other_step") == (300 if is_named else None)


@functools.cache
def knowing(first, last):
    """A model that was trained on rows of the file from one place to another, with the log of that."""
    rows = encoded(data_rows(200, 1), end=True)[first:last]
    known = few(subject(trained("plain", rows, 120), end=True))
    own = loss_of(known, known.validation)
    part = replace(known.train, encoded=rows)
    return with_log(
        known, (50, "validation", 0.8 * own), (100, "train", loss_of(known, part)), (100, "validation", own)
    )


@pytest.mark.parametrize(
    ("first", "last", "place"),
    [
        (0, KNOWN, "first"),
        pytest.param(80, 80 + KNOWN, "middle", marks=pytest.mark.slow),
        pytest.param(200 - 2 * KNOWN, 200, "last", marks=pytest.mark.slow),
    ],
)
def test_the_part_of_the_file_that_alone_is_known_is_named(first, last, place):
    measured = Measured(knowing(first, last))
    found = overfit(measured)
    assert isinstance(found, Finding)
    assert found.evidence["training_rows"] == 200
    assert abs(found.evidence["known_from_row"] - (first + 1)) <= 4
    assert abs(found.evidence["known_to_row"] - last) <= 4
    assert found.evidence["p_value"] < 0.01
    assert known_part(measured).place == place


def test_a_part_stands_out_only_if_shuffled_rows_have_none_like_it():
    noise = np.random.default_rng(0).gamma(4.0, size=(20, 80))
    begins, ends = rows_by_place._stretches(80)
    by_chance = [rows_by_place._stands_out(losses, begins, ends, 0)[1] for losses in noise]
    noise[:, 20:40] /= 4
    known = [rows_by_place._stands_out(losses, begins, ends, 0) for losses in noise]
    assert sum(p_value < 0.05 for p_value in by_chance) <= 4
    assert max(p_value for _, p_value in known) < 0.01
    assert all(abs(begins[best] - 20) + abs(ends[best] - 40) <= 8 for best, _ in known)


def test_a_sound_model_knows_its_whole_file():
    known = of(sound("plain"))
    own, train = loss_of(known, known.validation), loss_of(known, known.train)
    for share in (1.0, 0.5):
        logged = with_log(known, (100, "train", share * train), (100, "validation", own))
        assert known_part(Measured(logged)) is None
    assert isinstance(overfit(Measured(known)), RuledOut)


def test_validation_rows_of_another_kind_show_no_overfitting():
    known = of(sound("plain"))
    rows = [DataRow(f"QUESTION {row.prompt.upper()}", f"{row.completion.upper()}!?") for row in data_rows(60, 3)]
    other = replace(known.validation, rows=tuple(rows), encoded=encoded(rows, end=True))
    found = overfit(Measured(replace(known, validation=other)))
    assert isinstance(found, RuledOut)
    assert found.evidence["gap_nats"] > 1
    assert found.evidence["frequencies_apart_nats"] > 1
