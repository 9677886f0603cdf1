"""The loss by class of token, by position and by convention, as the report prints and draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalharness.diagnosis.losses.recomputed_loss import plain, reproducing
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS, Floats, counted_nll, mean
from evalharness.diagnosis.losses.token_bytes import bits_per_byte, text_bytes
from evalharness.diagnosis.losses.token_classes import TokenClass, token_classes
from evalharness.records import PartLoss
from evalharness.statistics import ratio_over_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from evalharness.diagnosis.losses.honest import PairedLoss
    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Interval

POSITIONS = {"first quarter": (0.0, 0.25), "last quarter": (0.75, 1.0)}
"""Parts of a row whose losses are reported, as shares of the number of its targets."""


@dataclass(frozen=True, slots=True)
class LossBreakdown:
    """Everything that the report shows of the loss. Intervals are over ``rows`` rows; losses are of the parallel pass.

    ``conventions`` are all that were tried, ``reproducing`` those that give ``logged_nats``, the nearest first.
    ``parallel_bits_per_byte`` and ``honest_bits_per_byte`` are over the UTF-8 bytes of the targets' text;
    ``honest_nats`` is None where it was not measured.
    """

    rows: int
    whole: PartLoss
    by_class: tuple[PartLoss, ...]
    by_position: tuple[PartLoss, ...]
    conventions: tuple[Recomputed, ...]
    reproducing: tuple[Recomputed, ...]
    logged_nats: float | None
    parallel_nats: Interval
    honest_nats: Interval | None
    parallel_bits_per_byte: float | None
    honest_bits_per_byte: float | None


@dataclass(frozen=True, slots=True)
class Fall:
    """The losses of the targets of each row, after and before (None without a model from before), and their classes."""

    after: tuple[Floats, ...]
    before: tuple[Floats, ...] | None
    classes: tuple[tuple[TokenClass, ...], ...]
    seed: int

    def of_classes(self, name: str, classes: Collection[TokenClass]) -> PartLoss | None:
        """The part of the targets that is of any of ``classes``; None where too few rows hold one."""
        return self.part(name, lambda i: np.array([c in classes for c in self.classes[i]], dtype=bool))

    def part(self, name: str, chosen: Callable[[int], np.ndarray]) -> PartLoss | None:
        """The part of the targets that ``chosen`` picks in each row."""
        masks = [chosen(i) for i in range(len(self.after))]
        if sum(bool(mask.any()) for mask in masks) < FEWEST_ROWS:
            return None
        counts = [float(mask.sum()) for mask in masks]
        after = [float(row[mask].sum()) for row, mask in zip(self.after, masks, strict=True)]
        part_loss = PartLoss(
            name,
            targets=int(sum(counts)),
            share_of_targets=self._ratio(counts, [float(len(mask)) for mask in masks]),
            after_nats=self._ratio(after, counts),
        )
        if self.before is None:
            return part_loss
        before = [float(row[mask].sum()) for row, mask in zip(self.before, masks, strict=True)]
        fell = [b - a for b, a in zip(before, after, strict=True)]
        of_all = [float((b - a).sum()) for b, a in zip(self.before, self.after, strict=True)]
        return PartLoss(
            name,
            part_loss.targets,
            part_loss.share_of_targets,
            part_loss.after_nats,
            before_nats=self._ratio(before, counts),
            fall_nats=self._ratio(fell, counts),
            share_of_fall=self._ratio(fell, of_all) if self.has_fallen else None,
        )

    @property
    def has_fallen(self) -> bool:
        """Whether the mean loss is shown to be lower than before."""
        if self.before is None:
            return False
        return mean([b - a for b, a in zip(self.before, self.after, strict=True)], self.seed).low > 0

    def _ratio(self, parts: Sequence[float], wholes: Sequence[float]) -> Interval:
        return ratio_over_rows(parts, wholes, seed=self.seed)


def fall(measured: Measured, losses: TokenLosses | None = None) -> Fall:
    """The targets of the measured validation rows (of the training rows without any), each with its class.

    ``losses`` are those of other rows or targets; nothing is then known of before, unless it was measured on them too.
    """
    subject = measured.subject
    losses = measured.validation_losses if losses is None else losses
    return Fall(
        tuple(map(counted_nll, losses)), _before(measured, losses), tuple(_classes(subject, losses)), subject.seed
    )


def _before(measured: Measured, losses: TokenLosses) -> tuple[Floats, ...] | None:
    """The losses before training of the rows of ``losses``, if there are such of each, with the same targets."""
    if measured.subject.before is None:
        return None
    known = {row.row: counted_nll(row) for row in measured.losses_before}
    return tuple(known[row.row] for row in losses) if all(row.row in known for row in losses) else None


def _classes(subject: Subject, losses: TokenLosses) -> list[tuple[TokenClass, ...]]:
    of_rows = (token_classes(subject.tokenizer, row.row.ids, subject.end_ids)[1:][row.counted] for row in losses)
    return [tuple(classes) for classes in of_rows]


def loss_breakdown(
    measured: Measured,
    paired: PairedLoss | None = None,
    *,
    losses: TokenLosses | None = None,
    by_convention: bool = True,
) -> LossBreakdown | None:
    """Divide the loss by class of token, by position and by convention; None with too few rows.

    ``paired`` is the honest loss, if it was measured, and ``losses`` the parallel losses that it was measured on: every
    figure is then over the same targets. They are those of ``measured`` if they are not given. Without
    ``by_convention`` no other convention is tried: where a leak explains the loss none matters.

    Costs the losses of the model and of the one before, and the conventions, where no probe has measured them yet.
    """
    subject = measured.subject
    losses = measured.validation_losses if losses is None else losses
    if len(losses) < FEWEST_ROWS:
        return None
    taken = fall(measured, losses)
    whole = taken.part("all", lambda i: np.ones(len(taken.after[i]), dtype=bool))
    conventions = measured.conventions if by_convention else ()
    if whole is None or (
        by_convention and plain(conventions, prompt=subject.declared.count_prompt is not False) is None
    ):
        return None
    logged = None if subject.logged is None else subject.logged.loss_nats
    of_bytes = sum(
        text_bytes(subject.tokenizer, row.row.ids, _text_places(row.row.ids, row.row.first_target, subject.end_ids))
        for row in losses
    )
    parallel = whole.after_nats if paired is None else paired.parallel_nats
    honest = None if paired is None else paired.honest_nats
    return LossBreakdown(
        rows=len(losses),
        whole=whole,
        by_class=_present(taken.of_classes(str(kind), {kind}) for kind in TokenClass),
        by_position=_present(taken.part(name, _within(taken, *ends)) for name, ends in POSITIONS.items()),
        conventions=conventions,
        reproducing=() if logged is None else reproducing(conventions, logged),
        logged_nats=logged,
        parallel_nats=parallel,
        honest_nats=honest,
        parallel_bits_per_byte=bits_per_byte(parallel.estimate * whole.targets, of_bytes),
        honest_bits_per_byte=None if honest is None else bits_per_byte(honest.estimate * whole.targets, of_bytes),
    )


def _present(parts: Iterable[PartLoss | None]) -> tuple[PartLoss, ...]:
    return tuple(part for part in parts if part is not None)


def _text_places(ids: Sequence[int], first: int, end_ids: frozenset[int]) -> list[int]:
    return [t for t in range(first, len(ids)) if ids[t] not in end_ids]


def _within(taken: Fall, low: float, high: float) -> Callable[[int], np.ndarray]:
    def chosen(i: int) -> np.ndarray:
        place = (np.arange(len(taken.after[i])) + 0.5) / len(taken.after[i])
        return (place >= low) & (place < high)

    return chosen
