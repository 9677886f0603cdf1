"""Repairs tried one after another: few rows for all of them, then all rows for the best."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.losses.counted_losses import (
    COUNTINGS,
    TEXT_ONLY,
    CountedRow,
    Counting,
    counted_losses,
    counted_of,
    figure,
    lowered_by,
    rows_with_end,
    with_begin,
)
from evalharness.diagnosis.losses.log_noise import log_noise_nats
from evalharness.diagnosis.losses.recomputed_loss import LEAST_NATS
from evalharness.diagnosis.repair import Repair, every_repair, in_turns
from evalharness.diagnosis.trials.dear import is_dear
from evalharness.diagnosis.trials.first_rows import FIRST_ROWS, approaches, first_ones_first
from evalharness.diagnosis.trials.measured_repair import Measurement, Repaired, losses_under
from evalharness.diagnosis.trials.search_time import SearchTime
from evalharness.statistics import mean_over_rows
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.diagnosis.subject import Split, Subject
    from evalharness.records import Interval

ALL_ROWS = 256
FEW_ROWS = 8
ALL_WORK, FEW_WORK = 4e12, 2e11
"""Floating-point operations that one pass over all rows, and over few, may cost: a minute and some seconds of a laptop.
A large model is measured on fewer rows."""
FEWEST = 6
"""Rows that halves and intervals need at least."""
RELATIVE = 0.01
"""A log that averages batches' means instead of tokens is up to a hundredth away, on the same rows."""
CLEARLY = 2.0
"""As loaded the loss is off if it is away from the log by twice the error."""
SAME_NATS = 0.002
"""Two repairs whose losses are nearer to each other than this can't be told apart."""
SHARPLY = 0.05
"""By how much of itself a sharp repair lowers the loss, where the log fits as loaded under another count."""
ROUNDING_NATS = 1e-5
"""A repair that changes the loss by less changes nothing here."""
FULLY = 3
"""Repairs that are measured on all rows, the best of the few rows first, besides those that are sure to be few."""
TRYING = 0.6
"""The share of the time of a bounded search in which repairs are tried on few rows; the rest is for all rows."""


@dataclass
class RepairSearch:
    """The search on one subject that has a logged validation loss and validation rows.

    ``measured`` gives the losses of rows as loaded. ``countings``: how the logged loss may have counted. ``say`` is
    told of the progress. ``tried`` counts the repairs by kind, ``failed`` those that could not be made. ``ranked`` are
    those that were measured, with the nats per token by which they lower the loss of the few rows.

    In a bounded ``time`` kinds take turns, and a repair that does not bring the first rows nearer to the log is
    dropped. The measurement that is under way when the time is over is ended.
    """

    subject: Subject
    logged_nats: float
    split: Split
    measured: Callable[[Sequence[TokenRow]], TokenLosses]
    say: Callable[[str], None] = lambda _: None
    countings: tuple[Counting, ...] = COUNTINGS
    tried: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    time: SearchTime = field(default_factory=SearchTime)
    ranked: list[tuple[float, Repair]] = field(default_factory=list, init=False)

    @cached_property
    def rows(self) -> tuple[TokenRow, ...]:
        """The rows that a full measurement takes: all of a small file; of a dear model those that are measured anyway.

        Fewer of these, if they are more than the work allows.
        """
        rows = self._within(self.split.encoded, ALL_ROWS, ALL_WORK)
        known = self.split.measured
        if len(known) < len(self.split.encoded) and (len(rows) <= len(known) or is_dear(self.subject.torch_model)):
            rows = evenly(known, len(rows))
        return rows_with_end(self.subject, self.split, rows)

    @property
    def is_whole(self) -> bool:
        """Whether every row is measured, so that no sampling error is left."""
        return len(self.rows) == len(self.split.encoded) == len(self.split.rows)

    @property
    def rows_in_words(self) -> str:
        """How many rows are measured, and whether these are all."""
        return f"{'all ' * self.is_whole}{counted(len(self.rows), 'row')}"

    @property
    def tried_in_words(self) -> str:
        """How many repairs were tried, and how many there was no time for."""
        left_out = f", {self.time.left_out.total()} were left out for time" if self.time.left_out else ""
        return f"{counted(self.tried.total(), 'repair was', 'repairs were')} tried{left_out}"

    @cached_property
    def as_loaded(self) -> Measurement:
        """The losses of the checkpoint as it is."""
        return self._figured(counted_of(self.measured(self.rows), self.subject.end_ids))

    def error_nats(self, interval: Interval, relative: float = RELATIVE) -> float:
        """How far the log may be from a figure that is its own; ``relative`` is the part that is no sampling error.

        Where all rows are measured, the log has a sampling error if it took some of them, which its scatter shows.
        """
        sampling = max(interval.high - interval.estimate, interval.estimate - interval.low)
        if self.is_whole:
            sampling = CLEARLY * log_noise_nats(self.subject.log)
        return max(LEAST_NATS, relative * abs(self.logged_nats), sampling)

    def is_off(self) -> bool:
        """Whether the log is clearly not that of the checkpoint as loaded, in none of the ways to count."""
        return all(
            abs(gap) > CLEARLY * self.error_nats(self.as_loaded.figures[how]) for how, gap in self._gaps_nats().items()
        )

    def on(self, split: Split) -> RepairSearch:
        """The search on other rows, in what is left of the time."""
        return RepairSearch(self.subject, self.logged_nats, split, self.measured, self.say, time=self.time)

    def as_read(self) -> RepairSearch:
        """The same search, by what the data say of the prompt alone: whether the end counts they don't say."""
        prompt = any(row.prompt_tokens and row.first_target < max(1, row.prompt_tokens) for row in self.rows)
        narrowed = replace(self, countings=tuple(how for how in COUNTINGS if how.prompt == prompt))
        vars(narrowed).update(rows=self.rows, as_loaded=self.as_loaded)  # measured already
        return narrowed

    def search(self, *, sharp: bool = False) -> list[Repaired]:
        """Every repair on few rows; the best of them on all rows, those that fit first, then the lowest loss.

        ``sharp``: only those that raise the loss of a sound model, if they lower it by much.
        """
        self.time.begin()
        few = self._few()
        before = self._losses(None, few)
        ranked: list[tuple[float, Repair]] = []
        for repair in self._repairs(sharp=sharp):
            ranked += self._ranked(repair, few, before)
        if sharp:
            text = figure(before, TEXT_ONLY, self.subject.seed)
            least = SHARPLY * text.estimate if text is not None else 0.0
            ranked = [(gain, repair) for gain, repair in ranked if gain > least]
        best_of_kind: dict[str, tuple[float, Repair]] = {}
        for gain, repair in sorted(ranked, key=lambda item: -item[0]):
            best_of_kind.setdefault(repair.kind, (gain, repair))
        for gain, repair in best_of_kind.values():
            if gain > 0:
                for further in repair.further():
                    ranked += self._ranked(further, few, before)
        self.ranked = ranked
        found = list(self._all_in_full(self._chosen(ranked)))
        lowest = min((item.loss_nats.estimate for item in found if item.fits), default=0.0)
        order = [repair for _, repair in ranked]

        def place(item: Repaired) -> tuple[bool, bool, float]:
            """Of those that can't be told from the lowest loss the one that was tried first: it changes least."""
            equal = item.fits and item.loss_nats.estimate <= lowest + SAME_NATS
            return not item.fits, not equal, order.index(item.repair) if equal else item.loss_nats.estimate

        return sorted(found, key=place)

    def _gaps_nats(self) -> dict[Counting, float]:
        """By how much the loss as loaded is above the log, in each way to count that the log may have."""
        known = (how for how in self.countings if how in self.as_loaded.figures)
        return {how: self.as_loaded.figures[how].estimate - self.logged_nats for how in known}

    def _few(self) -> tuple[TokenRow, ...]:
        """Rows on which every repair is tried; those that a bounded search reads first come first."""
        few = self._within(self.rows[::2], FEW_ROWS, FEW_WORK)
        return first_ones_first(few) if self.time.is_bounded else few

    def _repairs(self, *, sharp: bool) -> Iterable[Repair]:
        """All repairs, or the sharp ones; of a bounded search those that can bring the log back."""
        repairs = (repair for repair in every_repair(self.subject) if repair.sharp or not sharp)
        return in_turns(filter(self._can_reach, repairs)) if self.time.is_bounded else repairs

    def _can_reach(self, repair: Repair) -> bool:
        """Whether the loss is above the log, if all that a repair does is to lower that of the same tokens."""
        return max(self._gaps_nats().values(), default=0.0) > 0 or not repair.lowers or repair.encode is not None

    def _chosen(self, ranked: Sequence[tuple[float, Repair]]) -> Iterator[Repair]:
        """The best few that lower the loss, the best of each kind among them, and all that may do otherwise."""
        lowering = [r for gain, r in sorted(ranked, key=lambda item: -item[0]) if r.lowers and gain > ROUNDING_NATS]
        firsts = {repair.kind: repair for repair in reversed(lowering)}
        yield from (r for i, r in enumerate(lowering) if i < FULLY or firsts[r.kind] is r)
        yield from (repair for gain, repair in ranked if not repair.lowers and gain)

    def _ranked(
        self, repair: Repair, few: Sequence[TokenRow], before: Sequence[CountedRow]
    ) -> list[tuple[float, Repair]]:
        """By how much a repair lowers the loss of the few rows; nothing if it can't be made, or not in time."""
        if self.time.is_over_for(repair.kind, TRYING):
            return []
        try:
            after = self._on_few(repair, few, before)
        except LookupError:
            return []  # weights of another model: there is no place for them here
        except Exception as error:  # noqa: BLE001 - one that can't be made is not tried, and the others are
            self.failed.append(f"{repair.words}: {type(error).__name__}")
            return []
        self.tried[repair.kind] += 1
        gains = lowered_by(before, after, TEXT_ONLY) if after else []
        return [(sum(gains) / len(gains), repair)] if gains else []

    def _on_few(
        self, repair: Repair, few: Sequence[TokenRow], before: Sequence[CountedRow]
    ) -> tuple[CountedRow, ...] | None:
        """The losses of the few rows; None if the first of them show that the log can't come back."""
        if not self.time.is_bounded:
            return self._losses(repair, few)
        after: tuple[CountedRow, ...] = ()
        for row in few[:FIRST_ROWS]:
            after += self._losses(repair, [row])
            if not approaches(self._gaps_nats(), before[: len(after)], after):
                return None
        return after + self._losses(repair, few[FIRST_ROWS:])

    def _all_in_full(self, repairs: Iterable[Repair]) -> Iterator[Repaired]:
        """Each repair on all rows, while there is time: the first in any case."""
        for number, repair in enumerate(repairs):
            if number and self.time.is_over_for(repair.kind):
                continue
            if item := self._in_full(repair):
                yield item

    def _in_full(self, repair: Repair) -> Repaired | None:
        self.say(f"measuring the loss with {repair.words}")
        try:
            measurement = self.measured_under(repair, self.rows)
        except Exception as error:  # noqa: BLE001 - as above
            self.failed.append(f"{repair.words}: {type(error).__name__}")
            return None
        counting = measurement.nearest(self.logged_nats, self.countings)
        gains = lowered_by(self.as_loaded.rows[1::2], measurement.rows[1::2], counting)
        lowered = mean_over_rows({i: [gain] for i, gain in enumerate(gains)}, seed=self.subject.seed)
        return Repaired(
            repair, measurement, counting, lowered, self._fits(repair, measurement.figures[counting], lowered)
        )

    def _fits(self, repair: Repair, loss: Interval, lowered: Interval) -> bool:
        """Whether the log comes back, and the other half of the rows says the same."""
        near = abs(loss.estimate - self.logged_nats)
        if repair.lowers:
            return near <= self.error_nats(loss) and lowered.low > 0
        rises = self.as_loaded.figures[self.as_loaded.nearest(self.logged_nats)].estimate < self.logged_nats
        return near <= self.error_nats(loss, repair.tolerance) and (lowered.high < 0 if rises else lowered.low > 0)

    def measured_under(self, repair: Repair | None, rows: Sequence[TokenRow]) -> Measurement:
        """The losses of rows under a repair, or as loaded, and what they mean in each way to count."""
        return self._figured(self._losses(repair, rows))

    def _losses(self, repair: Repair | None, rows: Sequence[TokenRow]) -> tuple[CountedRow, ...]:
        """The losses of rows under a repair, or as loaded."""
        subject = self.subject
        if repair is None:
            return counted_losses(subject.torch_model, rows, subject.end_ids)
        if repair.begin_ids is not None:
            limit = subject.model.context_length
            rows = [with_begin(row, subject.begin_ids, repair.begin_ids, limit) for row in rows]
        return losses_under(repair, subject, self.split, rows)

    def _figured(self, rows: tuple[CountedRow, ...]) -> Measurement:
        figures = {how: interval for how in COUNTINGS if (interval := figure(rows, how, self.subject.seed))}
        return Measurement(rows, figures)

    def _within(self, rows: Iterable[TokenRow], at_most: int, work: float) -> tuple[TokenRow, ...]:
        """Rows spread over all, as many as the work allows."""
        rows = tuple(rows)
        tokens = sum(len(row.ids) for row in rows) / max(1, len(rows))
        parameters = sum(p.numel() for p in self.subject.torch_model.module.parameters())
        affordable = int(work / (2.0 * max(1, parameters) * max(1.0, tokens)))
        return evenly(rows, max(FEWEST, min(at_most, affordable)))
