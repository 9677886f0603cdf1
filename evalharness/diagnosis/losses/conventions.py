"""The loss, recomputed under every convention that a training loop may have, to see which of them the log is of.

What counts (prompt, end token, padding), what is added (label smoothing), how it is averaged (by token, or by row
first), how rows are laid out (alone, padded, packed, encoded whole) and which id a position is compared with.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from evalharness.diagnosis.losses.layouts import (
    END,
    PADDING,
    PROMPT,
    Layout,
    rows_alone,
)
from evalharness.diagnosis.losses.layouts_tried import filled_layouts, unusual_layouts
from evalharness.diagnosis.losses.log_noise import log_noise_nats
from evalharness.diagnosis.losses.recomputed_loss import Convention, Recomputed, counted_values, nll_at, reproducing
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS, Floats, capped, mean
from evalharness.diagnosis.losses.token_bytes import bits_per_byte, text_bytes
from evalharness.diagnosis.losses.token_losses import OFFSETS
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
EASIER_PACKED = 1.2
"""Rows packed are no more than a fifth harder than alone for a model that was trained on them packed: it has seen more
before each token, not less. One that was not meets places and neighbours that it never met."""
EASIER_OTHERWISE = 1.05
"""Rows encoded whole, or behind padding, are easier than rows alone for a model that was trained on them so. Whole, a
row has a token less, and each of the others may be a little harder for that."""
UNEVEN_NATS = 1.0
"""A model trained with smoothing e gives no id much less than e/V, its share of the target; one trained without gives
most ids far less. So much beyond ln(V/e) is allowed for a training that is not over."""
BATCHES = (4, 8, 16, 32, 64)
"""Rows of a validation batch as they are used. A loop may log the mean of its batches' means, which weighs rows a
little otherwise than the mean over all targets."""
LEARNT = 0.05
"""Padding that counted in training is a target that is always the same: its loss falls below a twentieth of the text's
within the first hundred steps. An end token is merely easy to predict after itself."""


def recomputed(subject: Subject, losses: TokenLosses, passes: ParallelPasses) -> tuple[Recomputed, ...]:
    """Measure all conventions; those that would repeat another's figures are left out.

    ``losses`` are those of the measured validation rows as they are. Of a dear model rows are padded and packed only
    if the log is not reproduced without.

    Costs two forward passes for each measured row (with an end token and without), fewer for packed ones, and up to
    four for each of up to 32 padded rows; where no plain convention gives the log, some ten times as many for other
    layouts. Of a dear model few rows are looked at first in a layout, and the others if the log may be that of it.
    Empty where fewer rows than an interval needs are there.
    """
    found = _of_layouts(subject, rows_alone(subject, losses, passes), math.inf)
    noise_nats = log_noise_nats(subject.log)
    logged = subject.logged
    if is_settled_by_rows_alone(subject, found):
        return _with_noise(found, noise_nats)
    alone = min((item.layout.text_nats() for item in found), default=math.inf)
    is_worth = partial(_may_be_the_logs, subject, alone)
    found += _of_layouts(subject, filled_layouts(subject, losses, passes, is_worth), alone)
    if logged is None or any(item.convention.is_plain for item in reproducing(found, logged.loss_nats)):
        return _with_noise(found, noise_nats)
    unusual = unusual_layouts(subject, losses, passes, is_worth)
    return _with_noise([*found, *_of_layouts(subject, unusual, alone)], noise_nats)


def is_settled_by_rows_alone(subject: Subject, conventions: Iterable[Recomputed]) -> bool:
    """Whether the model is dear, and the log is the plain loss of rows alone: no other layout is measured then."""
    if subject.logged is None or not is_dear(subject.torch_model):
        return False
    fit = reproducing(conventions, subject.logged.loss_nats)
    return any(item.convention.is_plain and item.layout.is_rows_alone for item in fit)


def _with_noise(found: Iterable[Recomputed], noise_nats: float) -> tuple[Recomputed, ...]:
    return tuple(replace(item, noise_nats=noise_nats) for item in found)


def _may_be_the_logs(subject: Subject, alone_of_all: float, few: Layout, alone: float | None) -> bool:
    """Whether the log may be of a layout, by ``few`` rows of it. ``alone``: the loss of their text alone, if known."""
    if subject.logged is None:
        return False
    alone = alone_of_all if alone is None else alone
    items = _of_layout(subject, few, _strengths(subject), text=few.text_nats(), alone=alone)
    return any(item.plausible and not item.is_far_from(subject.logged.loss_nats) for item in items)


def _strengths(subject: Subject) -> list[float]:
    """The label smoothing that is tried."""
    declared = subject.declared.label_smoothing
    return sorted({*STRENGTHS, *([declared] if declared is not None and 0 <= declared < 1 else [])})


def _of_layouts(subject: Subject, layouts: Iterable[Layout], alone: float) -> list[Recomputed]:
    """All conventions of all layouts; ``alone`` is the loss (nats) of the text of rows alone, as far as it is known."""
    strengths = _strengths(subject)
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
            yield replace(item, plausible=can_be and easy and smooth and not layout.is_look)


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
    right = mean([capped(nll_at(row, 1)) for row in layout.losses], subject.seed).estimate
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
    rows = [counted_values(row, kind, how) for row, kind in zip(layout.losses, layout.kinds, strict=True)]
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


def _interval(rows: Sequence[Floats], seed: int, *, by_row: bool) -> Interval:
    parts = [float(row.mean() if by_row else row.sum()) for row in rows]
    wholes = [1.0 if by_row else float(len(row)) for row in rows]
    return ratio_over_rows(parts, wholes, seed=seed, resamples=RESAMPLES)


def _bytes(tokenizer: Tokenizer, layout: Layout, *, prompt: bool) -> int:
    """Bytes of the text of all targets that count; an end token has none."""
    left_out = (END, PADDING) if prompt else (END, PADDING, PROMPT)
    return sum(
        text_bytes(tokenizer, row.row.ids, [t for t in range(1, len(kind)) if kind[t] not in left_out])
        for row, kind in zip(layout.losses, layout.kinds, strict=True)
    )
