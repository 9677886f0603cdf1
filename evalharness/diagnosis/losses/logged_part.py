"""Whether a logged validation loss is that of a part of the targets: one batch alone, or answers without their begin.

The parts are few, and known exactly where all rows of the file were measured. The logged training loss has to agree,
and the share of figures that some part would give by chance is small, or nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from evalharness.diagnosis.losses.conventions import BATCHES
from evalharness.diagnosis.losses.recomputed_loss import FIGURES
from evalharness.diagnosis.losses.row_means import capped, counted_nll
from evalharness.diagnosis.losses.training_agreement import ABOVE, BELOW, latest_training
from evalharness.diagnosis.losses.units import MOST_CHANCE, plain_conventions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.losses.row_means import Floats
    from evalharness.diagnosis.measured import Measured

SAME_TARGETS_NATS = 0.002
"""On the very same targets a loop gives the same mean, but for the last digit of a log and rounding in the model."""
HARDER = 2.0
"""Targets that training left out are at least twice as hard as the others of their answers."""

Kind = Literal["last_batch", "first_batch", "without_first_token"]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of what ``whole`` counts. ``rows``: how many rows it takes; ``nats``: its mean loss per token.

    ``train_nats`` is the same of the training rows, of which no batch stands out. ``left_out_nats`` is the mean loss of
    what is left out; None if other rows are.
    """

    kind: Kind
    whole: Recomputed
    rows: int
    nats: float
    train_nats: float
    left_out_nats: float | None = None

    def reproduces(self, logged_nats: float) -> bool:
        """Whether a logged loss is that of this part."""
        return abs(self.nats - logged_nats) <= SAME_TARGETS_NATS


@dataclass(frozen=True, slots=True)
class LoggedPart:
    """The part that a log is of; the training loss agrees with ``agreeing`` of ``tried`` parts.

    ``chance`` is the share of losses between half of the logged one and twice that, in equal ratios, that one of these
    would reproduce.
    """

    best: Part
    tried: int
    agreeing: int
    chance: float
    logged_train: float


def logged_part(measured: Measured) -> LoggedPart | None:
    """The part of the targets that the log is of; None if it is of none, or if that could be chance.

    Costs the losses of the training rows.
    """
    logged, training = measured.subject.logged, latest_training(measured)
    if logged is None or training is None:
        return None
    known = [item for item in plain_conventions(measured) if _is_known(measured, item)]
    parts = [part for item in known for part in _parts(measured, item)]
    agreeing = [part for part in parts if part.train_nats > 0 and BELOW <= training / part.train_nats <= ABOVE]
    fitting = [part for part in agreeing if part.reproduces(logged.loss_nats)]
    chance = _chance(agreeing, logged.loss_nats)
    if not fitting or chance > MOST_CHANCE:
        return None
    best = min(fitting, key=lambda part: abs(part.nats - logged.loss_nats))
    return LoggedPart(best, len(parts), len(agreeing), chance, training)


def _is_known(measured: Measured, item: Recomputed) -> bool:
    """Whether all rows of the file were measured, in its order."""
    split = measured.subject.validation
    whole = split is not None and item.rows == len(split.encoded) == len(split.rows)
    return whole and item.exact is not None and not item.convention.by_row


def _chance(parts: Sequence[Part], logged_nats: float) -> float:
    figures = logged_nats * np.geomspace(0.5, 2.0, FIGURES)
    return float(np.mean([any(part.reproduces(figure) for part in parts) for figure in figures]))


def _parts(measured: Measured, item: Recomputed) -> Iterator[Part]:
    rows = [capped(row) for row in item.values_by_row()]
    train_losses = measured.train_losses_in(item.layout.arrangement, prompt=item.convention.prompt)
    train = [counted_nll(row) for row in train_losses]
    if not train:
        return
    yield from _batches(item, rows, float(np.concatenate(train).mean()))
    if not item.convention.prompt and all(len(row) > 1 for row in (*rows, *train)):
        yield from _without_first_token(item, rows, train)


def _batches(item: Recomputed, rows: Sequence[Floats], train_nats: float) -> Iterator[Part]:
    """The last batch of the file and the first, for batches as they are used."""
    sizes = [size for size in BATCHES if size < len(rows)]
    for count in sorted({len(rows) % size or size for size in sizes}):
        yield Part("last_batch", item, count, float(np.concatenate(rows[-count:]).mean()), train_nats)
    for count in sizes:
        yield Part("first_batch", item, count, float(np.concatenate(rows[:count]).mean()), train_nats)


def _without_first_token(item: Recomputed, rows: Sequence[Floats], train: Sequence[Floats]) -> Iterator[Part]:
    kept, train_kept = ([row[1:] for row in some] for some in (rows, train))
    first, train_nats = float(np.mean([row[0] for row in rows])), float(np.concatenate(train_kept).mean())
    if first > HARDER * float(np.concatenate(kept).mean()):
        for nats in _means(kept):
            yield Part("without_first_token", item, len(rows), nats, train_nats, first)


def _means(rows: Sequence[Floats]) -> set[float]:
    """The mean over all targets, and means of the means of batches, by batch and by row as Hugging Face's Trainer."""
    means = {float(np.concatenate(rows).mean())}
    for size in BATCHES:
        batches = [rows[at : at + size] for at in range(0, len(rows), size)]
        of_batches = [float(np.concatenate(batch).mean()) for batch in batches]
        means |= {float(np.mean(of_batches)), float(np.average(of_batches, weights=list(map(len, batches))))}
    return means
