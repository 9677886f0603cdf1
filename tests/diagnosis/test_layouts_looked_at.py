"""Of a dear model a layout is looked at on few rows first, and measured in full only if the log may be of it."""

import math
from dataclasses import replace

import pytest
import torch
from plants_losses import logged, loss_of, trained
from scripted import Scripted, follower, split
from small_training import CONTEXT, END, PAD, data_rows, encoded, subject
from test_established import behind_padding
from torch import nn

from evalharness.diagnosis.losses.recomputed_loss import reproducing
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.loss_mismatch import loss_mismatch
from evalharness.diagnosis.probes.padding_in_loss import padding_in_loss
from evalharness.diagnosis.subject import Subject
from evalharness.diagnosis.trials import dear
from evalharness.records import Finding, NotTestable, RuledOut

LEARNT, GUESSED = 0.999, 0.8


class PaddingKnown(nn.Module):
    """Gives padding a probability after an end and after itself."""

    def __init__(self, inner, probability):
        super().__init__()
        self.inner, self.odds = inner, probability / (1 - probability)

    def forward(self, ids):
        logits = self.inner(ids).clone()
        after = (ids == END) | (ids == PAD)
        logits[..., PAD] = torch.where(after, logits.logsumexp(-1) + math.log(self.odds), logits[..., PAD])
        return logits


def few(module: nn.Module, **more) -> Subject:
    """A subject with twenty rows of validation, all of which are measured."""
    return replace(subject(module, end=True, **more), validation=split(data_rows(20, 2), end=True))


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(dear, "PARAMETERS", 1)


def with_padding(probability: float) -> tuple[nn.Module, float]:
    """A model, and its loss over rows padded to the context with padding that counts, as a small model has it."""
    module = PaddingKnown(trained("plain"), probability)
    of_layouts = Measured(few(module)).conventions
    padded = [c for c in of_layouts if c.padding_known and c.convention.layout.startswith(f"rows padded to {CONTEXT}")]
    plain = next(c for c in padded if c.convention.end and c.convention.prompt and not c.convention.smoothing)
    return module, plain.loss_nats.estimate


def test_padding_that_was_learnt_and_counts_in_the_log_is_measured_in_full(monkeypatch):
    module, loss_nats = with_padding(LEARNT)
    monkeypatch.setattr(dear, "PARAMETERS", 1)
    measured = Measured(few(module, **logged(loss_nats)))
    nearest = reproducing(measured.conventions, loss_nats)[0]
    assert nearest.convention.padding
    assert not nearest.layout.is_look
    found = padding_in_loss(measured)
    assert isinstance(found, Finding)
    assert found.evidence["with_padding_nats"] == pytest.approx(loss_nats, rel=0.05)


def test_padding_that_was_not_learnt_is_only_looked_at_whatever_the_log_says(monkeypatch):
    module, loss_nats = with_padding(GUESSED)
    monkeypatch.setattr(dear, "PARAMETERS", 1)
    measured = Measured(few(module, **logged(loss_nats)))
    padded = [item for item in measured.conventions if item.convention.padding]
    assert padded
    assert all(item.layout.is_look and not item.plausible for item in padded)
    assert isinstance(padding_in_loss(measured), NotTestable)


@pytest.mark.usefixtures("large")
def test_padding_that_was_learnt_is_only_looked_at_if_the_log_is_far_from_it():
    measured = Measured(few(PaddingKnown(trained("plain"), LEARNT), **logged(40.0)))
    assert all(item.layout.is_look for item in measured.conventions if item.convention.padding)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(("probability", "outcome"), [(LEARNT, Finding), (1e-4, RuledOut)])
def test_without_a_log_a_look_tells_whether_padding_was_a_target(probability, outcome):
    assert isinstance(
        padding_in_loss(Measured(subject(PaddingKnown(trained("plain"), probability), end=True))), outcome
    )


@pytest.mark.usefixtures("large")
def test_padding_on_the_left_that_shifts_positions_is_named_of_a_large_model_too():
    measured = behind_padding()
    assert isinstance(loss_mismatch(measured), Finding)
    assert (measured.established.arrangement.left, measured.established.arrangement.pad_id) == (CONTEXT, PAD)


@pytest.mark.usefixtures("large")
def test_a_large_model_that_is_worse_behind_padding_is_not_measured_there():
    measured = Measured(few(trained("plain"), **logged(2 * loss_of(trained("plain")))))
    assert not [item for item in measured.conventions if item.layout.arrangement.left]


def test_where_the_place_of_a_row_does_not_matter_two_rows_behind_padding_are_enough():
    made = few(Scripted(follower(encoded(data_rows(20, 2), end=True))), **logged(40.0))
    read, logits = [], made.model.logits
    made.model.logits = lambda ids: read.append(ids[0, :2].tolist()) or logits(ids)
    measured = Measured(made)
    assert not [item for item in measured.conventions if item.layout.arrangement.left]
    assert read.count([PAD, PAD]) == 2
