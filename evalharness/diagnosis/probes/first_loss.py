"""Whether training starts from the loss of a model that knows nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.data.training_batch import IGNORED
from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.module_modes import evaluating
from evalharness.models.log_softmax import log_probabilities_of
from evalharness.records import Finding, NotTestable, RuledOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Outcome

NAME = "first_loss"
ROWS = 16
"""Rows of the batch that the model is run on."""
FAR_NATS = 1.0
"""A model that knows nothing is at ln V, or a few tenths above if its logits start out wide. A nat below it are weights
that were trained before, of which nothing can be asked here; a nat above it is a start that is too certain."""


def first_loss(measured: Measured) -> Outcome:
    """Compare the mean loss of the batch, as the loop takes it, with ln V: an untrained model should start there."""
    batch, model = measured.subject.training_batch, measured.subject.torch_model
    losses: list[float] = []
    with evaluating(model.module):
        for text in batch.texts[:ROWS]:
            losses += _losses(model, text.ids, text.targets, batch.right_offset)
    if not losses:
        return NotTestable(NAME, "no_data", "no target of the batch counts")
    loss, uniform = math.fsum(losses) / len(losses), math.log(model.vocabulary_rows)
    evidence = {"loss_nats": loss, "uniform_nats": uniform, "targets": len(losses)}
    figures = (
        f"before the first step the loss of this batch is {loss:.2f} nats, and ln {model.vocabulary_rows} is "
        f"{uniform:.2f}"
    )
    if not math.isfinite(loss):
        return NotTestable(NAME, "model_failed", f"{figures}: see not_finite")
    if abs(loss - uniform) <= FAR_NATS:
        return RuledOut(NAME, f"Training starts from the right loss: {figures}.", evidence)
    if loss < uniform:
        return NotTestable(NAME, "does_not_apply", f"the weights were trained before: {figures}")
    claim = f"The model is too certain at the start: {figures}."
    return Finding(NAME, "note", claim, evidence, "Start the output layer smaller, or divide the logits by √width.")


def _losses(model: TorchModel, ids: Sequence[int], targets: Sequence[int], offset: int) -> list[float]:
    """The losses (nats) of one row's targets as the loop takes them."""
    logits = model.logits(torch.tensor([ids], device=model.device))[0]
    first = 1 if offset == 0 else 0
    places = [t for t in range(first, len(ids)) if targets[t] != IGNORED]
    counted = torch.tensor([targets[t] for t in places], device=model.device)
    values: list[float] = (-log_probabilities_of(logits[[t - first for t in places]], counted)).tolist()
    return values


PROBE = Probe(
    name=NAME,
    question="Does training start from the loss of a model that knows nothing?",
    run=first_loss,
    order=230,
    at_most="note",
    forward_passes=ROWS,
    needs=("batch", "targets"),
    capabilities=MODULE,
    asked_of=frozenset({"batch"}),
)
