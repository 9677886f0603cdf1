"""What can be known before the first step is trained: from an untrained model with one batch, or with rows of data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.catalogue import catalogue
from evalharness.diagnosis.data.no_tokenizer import NoTokenizer
from evalharness.diagnosis.data.rows import TokenRow
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
    *,
    padding: frozenset[int] = frozenset(),
    end: frozenset[int] = frozenset(),
    seed: int = 0,
) -> Diagnosis:
    """Ask everything that one batch and the model as it is can answer. ``padding`` and ``end`` are ids, if known.

    The module's mode, buffers and the random state are afterwards what they were.
    """
    rows = tuple(TokenRow(row, 1) for row in batch.rows()[:ROWS] if len(row) > 1)
    subject = Subject(
        model,
        tokenizer or NoTokenizer(model.vocabulary_rows),
        end_ids=end,
        train=Split((), rows, "batch"),
        batch=replace(batch, padding_ids=padding),
        seed=seed,
    )
    return _examined(subject, "batch", Silent())


def preflight_rows(subject: Subject, watcher: Watcher) -> Diagnosis:
    """Ask everything that rows of data and an untrained model can answer; the loop's own batch is not known."""
    return _examined(subject, "rows", watcher)


def _examined(subject: Subject, asked_of: AskedOf, watcher: Watcher) -> Diagnosis:
    probes = catalogue(asked_of)
    watcher.stage("preflight", len(probes))
    with evaluating(subject.torch_model.module):
        return examine(Measured(subject), probes, progress=lambda _: watcher.advance())


def settings_of(tokenizer: Any, module: Any) -> tuple[frozenset[int], frozenset[int]]:
    """The padding and the end ids that a tokenizer and a configuration of transformers name, as far as they do."""
    owners = (tokenizer, getattr(module, "config", None), getattr(module, "generation_config", None))
    found = []
    for name in ("pad_token_id", "eos_token_id"):
        values = [getattr(owner, name, None) for owner in owners]
        flat = [v for value in values for v in (value if isinstance(value, (list, tuple)) else [value])]
        found.append(frozenset(v for v in flat if isinstance(v, int) and not isinstance(v, bool)))
    return found[0], found[1]
