"""What can be known before the first step is trained: the probes that an untrained model and one batch can answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from evalharness.diagnosis.catalogue import CATALOGUE
from evalharness.diagnosis.data.rows import TokenRow
from evalharness.diagnosis.data.training_batch import (
    TrainingBatch,
    boundary_of,
    end_of,
    ids_in_range,
    padding_of,
    prompt_of,
    shift_of,
)
from evalharness.diagnosis.examination import Diagnosis, examine, ordered
from evalharness.diagnosis.probes.future_leak import PROBE as LEAK
from evalharness.diagnosis.probes.future_leak import future_leak
from evalharness.diagnosis.probes.label_shift import IGNORED
from evalharness.diagnosis.subject import Split, Subject
from evalharness.diagnosis.trials.module_modes import evaluating, training_without_dropout
from evalharness.diagnosis.trials.redrawn_copy import redrawn_copy
from evalharness.progress import Silent
from evalharness.records import Finding, NotTestable, RuledOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.catalogue import Probe
    from evalharness.models.protocols import Tokenizer, TorchModel
    from evalharness.progress import Watcher
    from evalharness.records import Outcome

ROWS = 16
"""Rows of a batch that the model is run on."""
FAR_NATS = 1.0
"""A model that knows nothing is at ln V, or a few tenths above where its logits start out wide. A nat away from it is
another thing: weights that were trained before, or a start that is surer than it can be."""
OF_A_BATCH = (LEAK, "stochastic_forward", "not_finite")
OF_ROWS = (LEAK, "token_boundary", "stochastic_forward", "vocabulary", "not_finite", "context")
"""Probes that need no trained model: beside those of the batch itself, and with rows in place of a batch."""


def preflight_batch(
    model: TorchModel,
    batch: TrainingBatch,
    tokenizer: Tokenizer | None,
    *,
    padding: frozenset[int] = frozenset(),
    end: frozenset[int] = frozenset(),
    seed: int = 0,
) -> Diagnosis:
    """Ask everything that one batch and the model as it is can answer. ``padding`` and ``end`` are ids, where known.

    The module's mode, buffers and the random state are afterwards what they were.
    """
    known: list[Outcome] = [ids_in_range(batch, model.vocabulary_rows)]
    if isinstance(known[0], Finding):
        return ordered(known, CATALOGUE)
    known += [
        shift_of(batch),
        padding_of(batch, padding, end),
        prompt_of(batch),
        end_of(batch, end),
        boundary_of(batch, tokenizer),
    ]
    rows = tuple(TokenRow(row, 1) for row in batch.rows()[:ROWS] if len(row) > 1)
    subject = Subject(model, tokenizer or _Ids(model.vocabulary_rows), train=Split((), rows, "batch"), seed=seed)
    known += [_first_loss(model, batch)]
    return _examined(subject, OF_A_BATCH, known)


def preflight_rows(subject: Subject, watcher: Watcher) -> Diagnosis:
    """Ask everything that rows of data and an untrained model can answer; the loop's own batch is not known."""
    reason = "the loop's own batch is not known: evalharness.preflight(model, batch) in the script tells"
    unknown = ("label_shift", "padding_in_loss", "prompt_in_loss", "no_end_token")
    return _examined(subject, OF_ROWS, [NotTestable(probe, "no_data", reason) for probe in unknown], watcher)


def _examined(
    subject: Subject, names: Sequence[str], known: Sequence[Outcome], watcher: Watcher | None = None
) -> Diagnosis:
    module = subject.model.module
    split = subject.train or subject.validation
    rows = [row.ids for row in split.encoded[:ROWS]] if split else []
    catalogue: list[Probe] = [probe for probe in CATALOGUE if probe.name in names]
    watcher = watcher or Silent()
    watcher.stage("preflight", len(catalogue))
    with evaluating(module):
        leak = _leak(subject.model, rows, subject.seed)
        found = examine(subject, catalogue, known=(leak,), progress=lambda _: watcher.advance())
    return ordered([*known, *found.findings, *found.ruled_out, *found.not_testable], CATALOGUE, found.incomplete)


def _leak(model: TorchModel, rows: Sequence[Sequence[int]], seed: int) -> Outcome:
    """Ask for a leak in evaluation mode, and in training mode without dropout: a mask may be applied in one alone."""
    if not rows:
        return NotTestable(LEAK, "no_data", "there are no rows with two tokens or more")
    evaluated = future_leak(model, rows, redrawn=lambda: redrawn_copy(model), seed=seed)
    if isinstance(evaluated, Finding):
        return evaluated
    with training_without_dropout(model.module):
        trained = future_leak(model, rows, redrawn=lambda: redrawn_copy(model), seed=seed)
    if isinstance(trained, Finding):
        claim = f"In training mode alone, with dropout at zero: {trained.claim}"
        return Finding(LEAK, trained.severity, claim, trained.evidence, trained.remedy)
    if isinstance(evaluated, RuledOut) and isinstance(trained, RuledOut):
        return RuledOut(LEAK, f"{evaluated.claim} In training mode neither.", evaluated.evidence)
    return evaluated if isinstance(evaluated, NotTestable) else trained


def _first_loss(model: TorchModel, batch: TrainingBatch) -> Outcome:
    """The mean loss of the batch as the loop takes it, against ln V: what an untrained model should start from."""
    probe = "first_loss"
    if batch.targets is None:
        return NotTestable(probe, "no_data", "the batch has no targets")
    losses = []
    with evaluating(model.module):
        for ids, targets in list(zip(batch.inputs, batch.targets, strict=True))[:ROWS]:
            losses += _losses(model, ids, targets, batch.right_offset)
    if not losses:
        return NotTestable(probe, "no_data", "no target of the batch counts")
    loss, uniform = math.fsum(losses) / len(losses), math.log(model.vocabulary_rows)
    evidence = {"loss_nats": loss, "uniform_nats": uniform, "targets": len(losses)}
    said = (
        f"the loss of this batch is {loss:.2f} nats before the first step, ln {model.vocabulary_rows} is {uniform:.2f}"
    )
    if not math.isfinite(loss):
        return NotTestable(probe, "model_failed", f"{said}: see not_finite")
    if abs(loss - uniform) <= FAR_NATS:
        return RuledOut(probe, f"Training starts from where it should: {said}.", evidence)
    if loss < uniform:
        claim = f"The model knows something already: {said}. Weights that were trained before do; new ones can't."
        return Finding(
            probe, "note", claim, evidence, "Nothing, where the weights were trained before; else look for a leak."
        )
    claim = f"Training starts from wrong certainty: {said}."
    return Finding(probe, "note", claim, evidence, "Start the output layer smaller, or divide the logits by √width.")


def _losses(model: TorchModel, ids: Sequence[int], targets: Sequence[int], offset: int) -> list[float]:
    """The losses (nats) of one row's targets as the loop takes them."""
    log_p = torch.log_softmax(model.logits(torch.tensor([ids], device=model.device))[0].double(), dim=-1)
    places = range(1, len(ids)) if offset == 0 else range(len(ids))
    return [-float(log_p[t - (offset == 0), targets[t]]) for t in places if targets[t] != IGNORED]


class _Ids:
    """Stands in where no tokenizer is given: nothing is text."""

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size

    def encode(self, text: str) -> list[int]:
        raise ValueError(f"no tokenizer for {text[:20]!r}")

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(f"<{i}>" for i in ids)


def settings_of(tokenizer: Any, module: Any) -> tuple[frozenset[int], frozenset[int]]:
    """The padding and the end ids that a tokenizer and a configuration of transformers name, as far as they do."""
    owners = (tokenizer, getattr(module, "config", None), getattr(module, "generation_config", None))
    found = []
    for name in ("pad_token_id", "eos_token_id"):
        values = [getattr(owner, name, None) for owner in owners]
        flat = [v for value in values for v in (value if isinstance(value, (list, tuple)) else [value])]
        found.append(frozenset(v for v in flat if isinstance(v, int) and not isinstance(v, bool)))
    return found[0], found[1]
