"""One way to compute a loss, and what this checkpoint's loss is by it: whether a logged figure can be that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from evalharness.diagnosis.losses.layouts import END, PADDING, PROMPT, Layout
from evalharness.diagnosis.losses.token_losses import OFFSETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evalharness.diagnosis.losses.row_means import Floats
    from evalharness.diagnosis.losses.token_losses import RowLosses
    from evalharness.records import Interval

FAR = 3.0
"""A figure is far from a convention beyond three times the interval: the log has a sampling error of its own, often
as large as this one's, and of a hundred healthy runs next to none is then said to have another's log."""
FIGURES = 200
"""So many figures around the log are asked whether some convention would give them."""
LEAST_NATS = 0.005
"""No interval is narrower than this: half precision and rounding in a log are of that size."""
OTHER_SHARE = 0.03
"""On the very same rows: no arithmetic of a training loop moves a mean loss by 3 % of itself."""
WIDE = 0.25
"""An interval that reaches further than a quarter of the loss fits anything, and so explains nothing."""
NORMAL_95 = 1.96
"""Standard errors in half of an interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Convention:
    """One way to compute a loss. ``shift`` is which id from the input a position is compared with; 1 is right.

    ``padding``: padding counts as a target, ``end``: an end token after each row does (None where none is known).
    ``by_row``: the mean of the means of rows.
    """

    layout: str
    shift: int
    prompt: bool
    padding: bool
    end: bool | None
    smoothing: float
    by_row: bool

    @property
    def is_plain(self) -> bool:
        """The next token's own loss on text alone, in whatever layout."""
        return self.shift == 1 and not self.smoothing and not self.padding

    @property
    def words(self) -> str:
        """What distinguishes it, in one phrase."""
        parts = [self.layout, "prompt counted" if self.prompt else "prompt not counted"]
        parts += ["padding counted"] * self.padding
        parts += [] if self.end is None else ["end token counted" if self.end else "no end token"]
        parts += [f"label smoothing {self.smoothing:g}"] * (self.smoothing > 0)
        parts += ["mean of the rows' means"] * self.by_row
        parts += [f"targets at offset {self.shift} instead of 1"] * (self.shift != 1)
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Recomputed:
    """The loss under one convention, with the interval over rows.

    ``bits_per_byte`` is over the UTF-8 bytes of the targets' text; None where the loss is no code length (smoothing,
    means of rows, another offset, padding). The shares are of the targets that count. ``padding_nats`` is the loss on
    padding alone, and ``padding_known`` whether its id is named so and stands in no row. ``as_given``: the layout and
    the end token are those of the rows as they are. ``plausible``: the model can have been trained so, for training
    makes easier what it counts; padding that is not next to certain, say, was never trained on. ``exact`` is given
    where all rows of the file were measured: no sampling error is left then, and the loss is between these two whatever
    the batches were. ``noise_nats`` is how far the logged losses scatter, as they do if each is of other rows.
    """

    convention: Convention
    loss_nats: Interval
    bits_per_byte: float | None
    targets: int
    rows: int
    prompt_share: float
    padding_share: float
    padding_nats: float | None
    padding_known: bool
    as_given: bool
    plausible: bool
    layout: Layout = field(repr=False, compare=False)
    exact: tuple[float, float] | None = None
    noise_nats: float = 0.0

    @property
    def is_wide(self) -> bool:
        """Whether the interval is so wide that any figure would be within it."""
        interval = self.loss_nats
        return self.exact is None and max(self._rooms(interval.low, interval.high)) > WIDE * interval.estimate

    def values_by_row(self) -> Iterator[Floats]:
        """The losses (nats) of the targets that count, an array for each measured row."""
        for row, kinds in zip(self.layout.losses, self.layout.kinds, strict=True):
            yield counted_values(row, kinds, self.convention)[0]

    def reproduces(self, logged_nats: float) -> bool:
        """Whether a logged figure is within the sampling error, which has to say something."""
        return not self.is_wide and abs(logged_nats - self.loss_nats.estimate) <= self._room(logged_nats)

    def is_far_from(self, logged_nats: float) -> bool:
        """Whether a logged figure is out of all question."""
        apart, room = abs(logged_nats - self.loss_nats.estimate), self._room(logged_nats)
        if self.exact is None:
            return apart > FAR * room
        return apart > room + max(FAR * LEAST_NATS, OTHER_SHARE * self.loss_nats.estimate, FAR * self.noise_nats)

    def rows_of_a_part(self, logged_nats: float) -> int:
        """Of how many of the rows, drawn at random, the loss may be as far from that of all as a logged figure is.

        Twice the standard error of a mean over n of N rows, s √(N/n - 1) if s is that of one over N others.
        """
        low, high = self._rooms(self.loss_nats.low, self.loss_nats.high)
        standard_error = max((low + high) / 2, LEAST_NATS) / NORMAL_95
        apart = abs(logged_nats - self.loss_nats.estimate) / (2 * standard_error)
        return int(self.rows / (1 + apart**2))

    def _room(self, logged_nats: float) -> float:
        """How far from the estimate a figure may be on the side of ``logged_nats``."""
        low, high = self.exact or (self.loss_nats.low, self.loss_nats.high)
        below, above = self._rooms(low, high)
        return max(above if logged_nats > self.loss_nats.estimate else below, LEAST_NATS)

    def _rooms(self, low: float, high: float) -> tuple[float, float]:
        return self.loss_nats.estimate - low, high - self.loss_nats.estimate


def reproducing(
    conventions: Iterable[Recomputed], logged_nats: float, *, plausible: bool = True
) -> tuple[Recomputed, ...]:
    """All plausible conventions (or all others) that give a logged figure, the nearest first.

    Training and validation share a loss as a rule, so the implausible ones fit by chance; among many of the others
    one does too.
    """
    found = [item for item in conventions if item.plausible == plausible and item.reproduces(logged_nats)]
    return tuple(sorted(found, key=lambda item: abs(item.loss_nats.estimate - logged_nats)))


def chance_of_a_fit(conventions: Iterable[Recomputed], logged_nats: float) -> float:
    """The share of the losses between half of a logged one and twice that, in equal ratios, that would be reproduced.

    What it is worth that one of many conventions reproduces the log: next to nothing if nearly any figure would be.
    """
    if logged_nats <= 0:
        return 1.0
    plausible = [item for item in conventions if item.plausible]
    figures = logged_nats * np.geomspace(0.5, 2.0, FIGURES)
    return float(np.mean([any(item.reproduces(nats) for item in plausible) for nats in figures]))


def plain(conventions: Iterable[Recomputed], *, prompt: bool) -> Recomputed | None:
    """The plain loss of the rows as they are: by token, of the next token, without smoothing."""
    for item in conventions:
        how = item.convention
        if item.as_given and how.prompt == prompt and not (how.smoothing or how.by_row) and how.shift == 1:
            return item
    return next((item for item in conventions if item.as_given and item.convention.shift == 1), None)


def counted_values(row: RowLosses, kinds: np.ndarray, how: Convention) -> tuple[Floats, np.ndarray]:
    """The losses of the targets that count, and what each target is."""
    losses = nll_at(row, how.shift)
    if how.smoothing:
        losses = (1 - how.smoothing) * losses + how.smoothing * row.mean_nll_nats
    places = np.arange(len(losses)) + how.shift
    # The first id of a row is no target, whatever it would be compared with.
    counts = (places >= 1) & (places < len(kinds))
    kind = kinds[np.clip(places, 0, len(kinds) - 1)]
    counts &= (kind != PROMPT) | how.prompt
    counts &= (kind != PADDING) | how.padding
    counts &= (kind != END) | (how.end is not False)
    return losses[counts], kind[counts]


def nll_at(row: RowLosses, shift: int) -> Floats:
    """The losses (nats) against the id that stands so many places from each input, ``(n - 1,)``."""
    return row.nll_nats if shift == 1 else row.at_offset_nats[OFFSETS.index(shift)]
