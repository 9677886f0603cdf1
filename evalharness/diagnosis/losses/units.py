"""The units that a log may be in other than nats per token, and whether one of them reproduces the logged loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalharness.diagnosis.losses.conventions import BATCHES
from evalharness.diagnosis.losses.recomputed_loss import FIGURES, Recomputed
from evalharness.diagnosis.losses.row_means import bits
from evalharness.diagnosis.losses.training_agreement import TrainingAgreement, logged_training, was_trained_so

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.models.protocols import Tokenizer

MOST_CHANCE = 0.25
"""No unit is named if more than a quarter of all figures of the logged size would fit one that training agrees with."""
TIMES = (2, 4, 8, 16, 32, 64)
"""Batches that a loop adds up, or divides by once too often."""
FEW_BYTES = 0.99
"""Text with fewer characters than this per byte has a loss per character of its own."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of the log. ``per_nat`` is what a loss of one nat per token is logged as.

    ``of_mean``: the log has a multiple of the mean loss, which any other run may have as well; the training loss has to
    be in nats then.
    """

    name: str
    words: str
    per_nat: float
    of_mean: bool = False

    def nats(self, logged: float) -> float:
        """A logged figure as nats per token."""
        return logged / self.per_nat


@dataclass(frozen=True, slots=True)
class Perplexity(Unit):
    """The exponential of the loss, which no factor turns into nats."""

    def nats(self, logged: float) -> float:
        """A logged perplexity as nats per token."""
        return math.log(logged) if logged > 0 else -math.inf


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit in which the logged training loss fits this checkpoint under a convention of the validation loss."""

    unit: Unit
    shown_by: Recomputed
    training: TrainingAgreement

    def reproduces(self, logged: float) -> bool:
        """Whether a logged validation loss in this unit fits as well."""
        return self.shown_by.reproduces(self.unit.nats(logged))

    def apart(self, logged: float) -> float:
        """How far a logged validation loss in this unit is from the recomputed one, as a share of it."""
        return abs(self.unit.nats(logged) / self.shown_by.loss_nats.estimate - 1)


@dataclass(frozen=True, slots=True)
class InUnit:
    """The unit that both logged losses fit.

    ``tried`` pairs of a unit and a convention were tried, and the training loss agrees with ``agreeing`` of them.
    ``chance`` is the share of validation losses between half of the logged one and twice that, in equal ratios, that
    one of the agreeing pairs would reproduce.
    """

    best: Candidate
    tried: int
    agreeing: int
    chance: float


def logged_unit(measured: Measured) -> InUnit | None:
    """The unit that the log is in, if the validation loss fits it and the training loss confirms that; else None.

    Only the plain loss of rows alone is tried, so that few figures fit by chance. None, too, if another step of the log
    has this checkpoint's loss in nats: the log is of another step then. Costs the losses of the training rows.
    """
    logged = measured.subject.logged
    items = plain_conventions(measured)
    if logged is None or _is_of_another_step(measured, items):
        return None
    units = [list(_units(item, measured.subject.tokenizer)) for item in items]
    agreeing = [c for item, tried in zip(items, units, strict=True) for c in _agreeing(measured, item, tried)]
    fitting = [candidate for candidate in agreeing if candidate.reproduces(logged.loss_nats)]
    chance = _chance(agreeing, logged.loss_nats)
    if not fitting or chance > MOST_CHANCE:
        return None
    best = min(fitting, key=lambda candidate: candidate.apart(logged.loss_nats))
    return InUnit(best, sum(map(len, units)), len(agreeing), chance)


def plain_conventions(measured: Measured) -> list[Recomputed]:
    """The plain losses of rows alone that the manifest leaves open."""
    declared = measured.subject.declared.count_prompt
    return [
        item
        for item in measured.conventions
        if item.plausible and item.convention.is_plain and item.layout.is_rows_alone and item.loss_nats.estimate > 0
        if declared is None or item.convention.prompt == declared or not item.prompt_share
    ]


def _is_of_another_step(measured: Measured, items: Iterable[Recomputed]) -> bool:
    """Of some conventions and many steps one fits by chance; the training loss of that step has to fit as well."""
    points = [point for point in measured.subject.log if point.split == "validation"]
    return any(
        item.reproduces(point.loss_nats) and was_trained_so(measured, item, point.step)
        for item in items
        for point in points
    )


def _agreeing(measured: Measured, item: Recomputed, units: Iterable[Unit]) -> Iterator[Candidate]:
    training = logged_training(measured, item)
    if training is None:
        return
    for unit in units:
        agreement = training.agreement(unit.nats)
        if agreement is not None and not (unit.of_mean and agreement.as_validation):
            yield Candidate(unit, item, agreement)


def _chance(candidates: Sequence[Candidate], logged: float) -> float:
    figures = logged * np.geomspace(0.5, 2.0, FIGURES)
    return float(np.mean([any(candidate.reproduces(figure) for candidate in candidates) for figure in figures]))


def _units(item: Recomputed, tokenizer: Tokenizer) -> Iterator[Unit]:
    """The units that a loss by this convention may be logged in."""
    yield Unit("bits", "in bits, not nats", bits(1.0))
    yield Unit("base_10", "in logarithms to base 10, not nats", 1 / math.log(10))
    yield Perplexity("perplexity", "a perplexity, not nats", math.nan)
    yield from _by_text(item, tokenizer)
    yield from _sums(item)


def _by_text(item: Recomputed, tokenizer: Tokenizer) -> Iterator[Unit]:
    """Per byte and, if the text is not ASCII alone, per character."""
    if not item.bits_per_byte:
        return
    per_byte = item.bits_per_byte / bits(item.loss_nats.estimate)
    yield Unit("nats_per_byte", "in nats per byte, not per token", per_byte)
    yield Unit("bits_per_byte", "in bits per byte, not nats per token", bits(per_byte))
    characters = _characters_per_byte(item, tokenizer)
    if characters < FEW_BYTES:
        yield Unit("nats_per_character", "in nats per character, not per token", per_byte / characters)
        yield Unit("bits_per_character", "in bits per character, not nats per token", bits(per_byte / characters))


def _characters_per_byte(item: Recomputed, tokenizer: Tokenizer) -> float:
    rows = [losses.row for losses in item.layout.losses]
    texts = [tokenizer.decode(row.ids if item.convention.prompt else row.ids[row.prompt_tokens :]) for row in rows]
    length = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return sum(map(len, texts)) / length if length else 1.0


def _sums(item: Recomputed) -> Iterator[Unit]:
    """Sums over tokens, where the mean is over rows or batches; and the mean itself, multiplied or divided."""
    if item.convention.by_row:
        return
    yield Unit("sum_per_row", "a sum over each row, not a mean over tokens", item.targets / item.rows)
    for size in BATCHES:
        batches = math.ceil(item.rows / size) if item.exact else item.rows / size
        words = f"a sum over each batch of {size} rows, not a mean over tokens"
        yield Unit("sum_per_batch", words, item.targets / batches)
    for times in sorted({*TIMES, *_batch_counts(item)}):
        yield Unit("times", f"{times} times the mean, as if {times} batches were added up", times, of_mean=True)
    for times in TIMES:
        yield Unit("divided", f"the mean divided by {times}", 1 / times, of_mean=True)


def _batch_counts(item: Recomputed) -> set[int]:
    """How many batches the whole file has; unknown if some rows were not measured."""
    counts = {math.ceil(item.rows / size) for size in BATCHES} if item.exact else set()
    return counts - {1}
