"""A log of rows that training read in place of those of the file, and a log that averages the means of batches."""

import math
from dataclasses import replace
from random import Random

import pytest
from plants_repairs import few
from small_sound import of, sound
from small_training import encoded
from test_log_readings import loss_of, with_log
from torch import nn

from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.losses.batch_means import batch_means
from evalharness.diagnosis.losses.row_means import counted_nll
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.loss_mismatch import loss_mismatch
from evalharness.diagnosis.subject import Split
from evalharness.records import Finding

SIGNED = "# checked by ada\n"


def rows_of(rows, source):
    return Split(tuple(rows), encoded(rows, end=True), source)


def edited(last):
    """A sound model whose log is of rows as they were, and whose files have a line more behind each row."""
    known = few(of(sound("plain")))
    before = loss_of(known, known.validation)
    train, validation = (
        rows_of([replace(row, completion=row.completion + last(i)) for i, row in enumerate(split.rows)], split.source)
        for split in (known.train, known.validation)
    )
    known = replace(known, train=train, validation=validation)
    return with_log(known, (50, "validation", 1.5 * before), (100, "validation", before))


def test_text_of_all_rows_that_was_never_a_target_shows_that_training_read_others():
    found = loss_mismatch(Measured(edited(lambda _: SIGNED)))
    assert isinstance(found, Finding)
    assert found.evidence["other_rows"] is True
    assert found.evidence["unknown_nats"] > 2.0
    assert abs(found.evidence["without_them_nats"] - found.evidence["logged_nats"]) < 0.5 * (
        found.evidence["with_them_nats"] - found.evidence["logged_nats"]
    )


def test_text_that_few_rows_share_shows_nothing_of_the_kind():
    rng = Random(0)
    found = loss_mismatch(Measured(edited(lambda _: f"# {rng.randint(10**9, 10**10)}\n")))
    assert isinstance(found, Finding)
    assert "other_rows" not in found.evidence


def with_short_rows(known):
    """Behind each row one of a few characters that nobody can guess."""
    rng = Random(0)

    def more(split):
        short = [DataRow("", "".join(rng.choices("abcdefgh", k=4))) for _ in split.rows]
        return rows_of([row for pair in zip(split.rows, short, strict=True) for row in pair], split.source)

    return replace(known, train=more(known.train), validation=more(known.validation))


def averaging(size):
    """The losses of a sound model: training lines average means of batches of ``size`` rows, None over all tokens."""
    known = with_short_rows(few(of(sound("plain"))))
    measured = Measured(known)
    rows = [counted_nll(row) for row in measured.train_losses]
    own, rng = loss_of(known, known.validation), Random(1)
    points = []
    for step in (60, 70, 80, 90, 100):
        drawn = rng.choices(rows, k=64)
        batches = [drawn[i : i + (size or 64)] for i in range(0, 64, size or 64)]
        means = [sum(float(row.sum()) for row in batch) / sum(map(len, batch)) for batch in batches]
        falling = 1 + (100 - step) / 100
        points += [(step, "train", falling * sum(means) / len(means)), (step, "validation", falling * own)]
    return with_log(known, *points)


@pytest.mark.parametrize("size", [1, 2])
def test_a_training_loss_that_averages_batches_means_is_named_with_the_rows_of_a_batch(size):
    found = loss_mismatch(Measured(averaging(size)))
    assert isinstance(found, Finding)
    assert (found.severity, found.evidence["train_mean_of_means"]) == ("note", True)
    assert found.evidence["rows_of_a_batch"] == size
    assert found.evidence["over_batches_nats"] > found.evidence["over_tokens_nats"]


def test_a_training_loss_over_all_tokens_is_no_mean_of_means():
    assert batch_means(Measured(averaging(None))) is None


def test_dropout_raises_a_training_loss_as_well_so_that_nothing_is_said_of_batches():
    known = averaging(1)
    known.torch_model.module.layers.append(nn.Dropout(0.1).eval())
    assert batch_means(Measured(known)) is None


def test_what_two_losses_differ_by_is_told_from_the_scatter_of_the_log():
    means = batch_means(Measured(averaging(1)))
    assert means.lines == 5
    assert math.isclose(means.logged, means.over_batches.estimate / means.validation_nats, rel_tol=0.2)
