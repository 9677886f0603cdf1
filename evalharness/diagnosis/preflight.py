"""What can be known before the first step is trained: from an untrained model with one batch, or with rows of data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evalharness.diagnosis.catalogue import catalogue
from evalharness.diagnosis.data.no_tokenizer import NoTokenizer
from evalharness.diagnosis.data.rows import TokenRow
from evalharness.diagnosis.data.trainer_tokens import TrainerTokens
from evalharness.diagnosis.examination import Diagnosis, examine
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.subject import Split, Subject
from evalharness.diagnosis.trials.module_modes import evaluating
from evalharness.progress import Silent

if TYPE_CHECKING:
    from evalharness.diagnosis.data.training_batch import TrainingBatch
    from evalharness.diagnosis.probe import AskedOf
    from evalharness.models.protocols import Tokenizer, TorchModel
    from evalharness.progress import Watcher

ROWS = 16
"""Rows of a batch that the model is run on."""


def preflight_batch(
    model: TorchModel,
    batch: TrainingBatch,
    tokenizer: Tokenizer | None,
    tokens: TrainerTokens | None = None,
    *,
    seed: int = 0,
    watcher: Watcher | None = None,
) -> Diagnosis:
    """Ask everything that one batch and the model as it is can answer. ``tokens``: what is known of the ids.

    The module's mode, buffers and the random state are afterwards what they were.
    """
    tokens = tokens or TrainerTokens()
    rows = tuple(TokenRow(text.ids, 1) for text in batch.texts[:ROWS] if len(text.ids) > 1)
    subject = Subject(
        model,
        tokenizer or NoTokenizer(model.vocabulary_rows),
        end_ids=tokens.end,
        train=Split((), rows, "batch"),
        batch=replace(batch, tokens=tokens),
        seed=seed,
    )
    return _examined(subject, "batch", watcher or Silent())


def preflight_rows(subject: Subject, watcher: Watcher) -> Diagnosis:
    """Ask everything that rows of data and an untrained model can answer; the loop's own batch is not known."""
    return _examined(subject, "rows", watcher)


def _examined(subject: Subject, asked_of: AskedOf, watcher: Watcher) -> Diagnosis:
    probes = catalogue(asked_of)
    watcher.stage("preflight", len(probes))
    with evaluating(subject.torch_model.module):
        return examine(Measured(subject), probes, progress=lambda _: watcher.advance())
