"""The loss, recomputed under every convention that a training loop may have, to see which of them the log is of.

What counts (prompt, end token, padding), what is added (label smoothing), how it is averaged (by token, or by row
first), how rows are laid out (alone, padded, packed, encoded whole) and which id a position is compared with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from evalharness.diagnosis.losses.layouts import (
    END,
    PADDING,
    PROMPT,
    Layout,
    filled_layouts,
    rows_alone,
    unusual_layouts,
)
from evalharness.diagnosis.losses.log_noise import log_noise_nats
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS, Floats, bits, capped, mean
from evalharness.diagnosis.losses.token_losses import OFFSETS, RowLosses
from evalharness.diagnosis.trials.dear import is_dear
from evalharness.statistics import ratio_over_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalharness.diagnosis.losses.parallel_passes import ParallelPasses
    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.diagnosis.subject import Subject
    from evalharness.models.protocols import Tokenizer
    from evalharness.records import Interval

STRENGTHS = (0.0, 0.05, 0.1, 0.2)
"""Label smoothing as it is used; what is declared is tried beside these."""
RESAMPLES = 2_000
"""For each of some hundred intervals; the ends of a 95 % interval are then off by about a twentieth of its width.

A plain mean has as many as everywhere else, so that the same loss has the same interval wherever a report shows it."""
FAR = 3.0
"""A figure is far from a convention beyond three times the interval: the log has a sampling error of its own, often
as large as this one's, and of a hundred healthy runs next to none is then said to have another's log."""
EASIER_PACKED = 1.2
"""Rows packed are no more than a fifth harder than alone for a model that was trained on them packed: it has seen more
before each token, not less. One that was not meets places and neighbours that it never met."""
EASIER_OTHERWISE = 1.05
"""Rows encoded whole, or behind padding, are easier than rows alone for a model that was trained on them so. Whole, a
row has a token less, and each of the others may be a little harder for that."""
UNEVEN_NATS = 1.0
"""A model trained with smoothing e gives no id much less than e/V, its share of the target; one trained without gives
most ids far less. So much beyond ln(V/e) is allowed for a training that is not over."""
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
BATCHES = (4, 8, 16, 32, 64)
"""Rows of a validation batch as they are used. A loop may log the mean of its batches' means, which weighs rows a
little otherwise than the mean over all targets."""
LEARNT = 0.05
"""Padding that counted in training is a target that is always the same: its loss falls below a twentieth of the text's
within the first hundred steps. An end token is merely easy to predict after itself."""


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


def recomputed(subject: Subject, losses: TokenLosses, passes: ParallelPasses) -> tuple[Recomputed, ...]:
    """Measure all conventions; those that would repeat another's figures are left out.

    ``losses`` are those of the measured validation rows as they are. Of a dear model rows are padded and packed only
    if the log is not reproduced without.

    Costs two forward passes for each measured row (with an end token and without), fewer for packed ones, and up to
    four for each of up to 32 padded rows; where no plain convention gives the log, some ten times as many for other
    layouts.
    Empty where fewer rows than an interval needs are there.
    """
    found = _of_layouts(subject, rows_alone(subject, losses, passes), math.inf)
    noise_nats = log_noise_nats(subject.log)
    logged = subject.logged
    if is_settled_by_rows_alone(subject, found):
        return _with_noise(found, noise_nats)
    alone = min((item.layout.text_nats() for item in found), default=math.inf)
    found += _of_layouts(subject, filled_layouts(subject, losses, passes), alone)
    if logged is None or any(item.convention.is_plain for item in reproducing(found, logged.loss_nats)):
        return _with_noise(found, noise_nats)
    return _with_noise([*found, *_of_layouts(subject, unusual_layouts(subject, losses, passes), alone)], noise_nats)


def is_settled_by_rows_alone(subject: Subject, conventions: Iterable[Recomputed]) -> bool:
    """Whether the model is dear, and the log is the plain loss of rows alone: no other layout is measured then."""
    if subject.logged is None or not is_dear(subject.torch_model):
        return False
    fit = reproducing(conventions, subject.logged.loss_nats)
    return any(item.convention.is_plain and item.layout.is_rows_alone for item in fit)


def _with_noise(found: Iterable[Recomputed], noise_nats: float) -> tuple[Recomputed, ...]:
    return tuple(replace(item, noise_nats=noise_nats) for item in found)


def _of_layouts(subject: Subject, layouts: Iterable[Layout], alone: float) -> list[Recomputed]:
    """All conventions of all layouts; ``alone`` is the loss (nats) of the text of rows alone, as far as it is known."""
    declared = subject.declared.label_smoothing
    strengths = sorted({*STRENGTHS, *([declared] if declared is not None and 0 <= declared < 1 else [])})
    found: list[Recomputed] = []
    for layout in layouts:
        if len(layout.losses) < FEWEST_ROWS:
            continue
        text = layout.text_nats()
        alone = text if layout.is_rows_alone else alone
        found += _of_layout(subject, layout, strengths, text=text, alone=alone)
        found += _of_other_offsets(subject, layout, strengths)
    return found


def _of_layout(
    subject: Subject, layout: Layout, strengths: Sequence[float], *, text: float, alone: float
) -> Iterator[Recomputed]:
    """``text`` is the loss of the text in this layout, ``alone`` that in rows alone."""
    one_length = layout.packed or layout.padding is not None
    easier = EASIER_PACKED if layout.packed else EASIER_OTHERWISE
    can_be = layout.is_rows_alone or layout.padding is not None or text <= easier * alone
    for prompt, smoothing, by_row in product(_prompts(layout), strengths, (False, True)):
        # Averaged by row, padding and packing give what they give by token: rows are then of one length.
        if by_row and one_length:
            continue
        how = Convention(layout.words, 1, prompt, layout.padding is not None, layout.arrangement.end, smoothing, by_row)
        item = _recomputed(subject, layout, how)
        if item is not None:
            easy = item.padding_nats is None or item.padding_nats < LEARNT * text
            smooth = not smoothing or _is_even(layout, smoothing, subject.torch_model.vocabulary_rows)
            yield replace(item, plausible=can_be and easy and smooth)


def _is_even(layout: Layout, smoothing: float, vocabulary: int) -> bool:
    """Whether the model leaves as much to all other ids as training with this smoothing teaches it to."""
    means = np.concatenate(
        [row.mean_nll_nats[kind[1:] != PADDING] for row, kind in zip(layout.losses, layout.kinds, strict=True)]
    )
    return float(means.mean()) <= math.log(vocabulary / smoothing) + UNEVEN_NATS


def _of_other_offsets(subject: Subject, layout: Layout, strengths: Sequence[float]) -> Iterator[Recomputed]:
    """Other offsets only for rows alone, and only where the model predicts them better: what is trained gets better.

    With smoothing, too: a loop that smooths by itself is one in which nobody may shift the labels.
    """
    if not layout.as_given:
        return
    right = mean([capped(_nll(row, 1)) for row in layout.losses], subject.seed).estimate
    end = layout.arrangement.end
    for shift, prompt in product(OFFSETS, _prompts(layout)):
        how = Convention(layout.words, shift, prompt=prompt, padding=False, end=end, smoothing=0.0, by_row=False)
        item = _recomputed(subject, layout, how) if shift != 1 else None
        if item is not None and item.loss_nats.high < right:
            yield item
            yield from _smoothed(subject, layout, how, strengths)


def _smoothed(subject: Subject, layout: Layout, how: Convention, strengths: Sequence[float]) -> Iterator[Recomputed]:
    """A convention with label smoothing as well."""
    for smoothing in filter(None, strengths):
        item = _recomputed(subject, layout, replace(how, smoothing=smoothing))
        if item is not None:
            yield replace(item, plausible=_is_even(layout, smoothing, subject.torch_model.vocabulary_rows))


def _prompts(layout: Layout) -> tuple[bool, ...]:
    """Whether prompts count: both ways where there are some."""
    return (True, False) if any(bool((kind == PROMPT)[1:].any()) for kind in layout.kinds) else (True,)


def _recomputed(subject: Subject, layout: Layout, how: Convention) -> Recomputed | None:
    """None where nothing counts or the loss is not finite."""
    rows = [_values(row, kind, how) for row, kind in zip(layout.losses, layout.kinds, strict=True)]
    values = [losses for losses, _ in rows if len(losses)]
    counted = np.concatenate([kinds for _, kinds in rows])
    if len(values) < FEWEST_ROWS or not all(bool(np.isfinite(losses).all()) for losses in values):
        return None
    of_all = np.concatenate(values)
    code_length = not (how.smoothing or how.by_row or how.padding or how.shift != 1)
    padding = np.concatenate([losses for losses, _ in rows])[counted == PADDING]
    return Recomputed(
        convention=how,
        loss_nats=mean(values, subject.seed) if code_length else _interval(values, subject.seed, by_row=how.by_row),
        bits_per_byte=bits_per_byte(float(of_all.sum()), _bytes(subject.tokenizer, layout, prompt=how.prompt))
        if code_length
        else None,
        targets=len(of_all),
        rows=len(values),
        prompt_share=float((counted == PROMPT).mean()),
        padding_share=float((counted == PADDING).mean()),
        padding_nats=float(padding.mean()) if len(padding) else None,
        padding_known=layout.padding is not None and layout.padding.known,
        as_given=layout.as_given,
        plausible=True,
        layout=layout,
        exact=_whatever_the_batches(values, by_row=how.by_row) if layout.complete else None,
    )


def _whatever_the_batches(rows: Sequence[Floats], *, by_row: bool) -> tuple[float, float]:
    """The lowest and the highest mean of the means of batches, for batches as they are used; by row there is one."""
    if by_row:
        same = float(np.mean([row.mean() for row in rows]))
        return same, same
    sums, counts = np.array([row.sum() for row in rows]), np.array([len(row) for row in rows])
    means = [float(sums.sum() / counts.sum())]
    for size in BATCHES:
        starts = np.arange(0, len(rows), size)
        means.append(float((np.add.reduceat(sums, starts) / np.add.reduceat(counts, starts)).mean()))
    return min(means), max(means)


def _values(row: RowLosses, kinds: np.ndarray, how: Convention) -> tuple[Floats, np.ndarray]:
    """The losses of the targets that count, and what each target is."""
    losses = _nll(row, how.shift)
    if how.smoothing:
        losses = (1 - how.smoothing) * losses + how.smoothing * row.mean_nll_nats
    places = np.arange(len(losses)) + how.shift
    # The first id of a row is no target, whatever it would be compared with.
    counts = (places >= 1) & (places < len(kinds))
    kind = kinds[np.clip(places, 0, len(kinds) - 1)]
    counts &= (kind != PROMPT) | how.prompt
    counts &= (kind != PADDING) | how.padding
    return losses[counts], kind[counts]


def _nll(row: RowLosses, shift: int) -> Floats:
    return row.nll_nats if shift == 1 else row.at_offset_nats[OFFSETS.index(shift)]


def _interval(rows: Sequence[Floats], seed: int, *, by_row: bool) -> Interval:
    parts = [float(row.mean() if by_row else row.sum()) for row in rows]
    wholes = [1.0 if by_row else float(len(row)) for row in rows]
    return ratio_over_rows(parts, wholes, seed=seed, resamples=RESAMPLES)


def bits_per_byte(total_nats: float, of_bytes: int) -> float | None:
    """A summed loss as bits for each byte of the text that was predicted; None where there is no text."""
    return bits(total_nats) / of_bytes if of_bytes else None


def _bytes(tokenizer: Tokenizer, layout: Layout, *, prompt: bool) -> int:
    """Bytes of the text of all targets that count; an end token has none."""
    left_out = (END, PADDING) if prompt else (END, PADDING, PROMPT)
    return sum(
        text_bytes(tokenizer, row.row.ids, [t for t in range(1, len(kind)) if kind[t] not in left_out])
        for row, kind in zip(layout.losses, layout.kinds, strict=True)
    )


def text_bytes(tokenizer: Tokenizer, ids: Sequence[int], places: Sequence[int]) -> int:
    """UTF-8 bytes of the text of the ids at ascending ``places``, each run of them in its context."""
    total = 0
    for begin, stop in _runs(places):
        total += _prefix_bytes(tokenizer, ids[:stop]) - _prefix_bytes(tokenizer, ids[:begin])
    return total


def _runs(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """``[1, 2, 3, 7]`` as ``(1, 4), (7, 8)``."""
    starts = [t for i, t in enumerate(places) if i == 0 or places[i - 1] != t - 1]
    stops = [t + 1 for i, t in enumerate(places) if i + 1 == len(places) or places[i + 1] != t + 1]
    yield from zip(starts, stops, strict=True)


def _prefix_bytes(tokenizer: Tokenizer, ids: Sequence[int]) -> int:
    # A character that is cut at the end of the prefix counts where its last byte stands.
    return len(tokenizer.decode(ids).rstrip("\ufffd").encode("utf-8", "replace")) if ids else 0
