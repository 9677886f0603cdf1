"""The layouts that are tried where rows alone may not be what the log is of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.losses.layouts import ends, laid_rows, layout_alone
from evalharness.diagnosis.losses.left_layouts import left_layouts
from evalharness.diagnosis.losses.packed_layouts import packed_layout, packed_shorter
from evalharness.diagnosis.losses.padded_layouts import PADDED_ROWS, padded_layouts
from evalharness.diagnosis.losses.padding_candidates import padding_ids
from evalharness.diagnosis.trials.dear import is_dear

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.losses.layouts import Layout
    from evalharness.diagnosis.losses.padded_layouts import IsWorth
    from evalharness.diagnosis.losses.parallel_passes import ParallelPasses
    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.diagnosis.subject import Subject


def filled_layouts(
    subject: Subject, own_losses: TokenLosses, passes: ParallelPasses, is_worth: IsWorth
) -> Iterator[Layout]:
    """Rows padded to the longest and to the context, and packed; each with an end token after it and without.

    What they cost grows with the context, so that a dear model is padded by a few places first. Without a logged loss
    only the padding that it may have learned says something, and what a packed loss would be says nothing.
    """
    split = subject.validation or subject.train
    if split is None or not split.encoded:
        return
    rows = tuple(losses.row for losses in own_losses)
    pads = padding_ids(subject, evenly(rows, PADDED_ROWS), passes)
    if subject.logged is None and is_dear(subject.torch_model):
        pads = tuple(pad for pad in pads if pad.known)
    for how in ends(subject, split):
        yield from padded_layouts(subject, split, laid_rows(subject, split, rows, how), how, pads, is_worth)
        if subject.logged is not None:
            yield from packed_layout(subject, split, how)


def unusual_layouts(
    subject: Subject, own_losses: TokenLosses, passes: ParallelPasses, is_worth: IsWorth
) -> Iterator[Layout]:
    """Rows packed in shorter blocks, encoded whole, and behind padding on the left; with an end token and without."""
    split = subject.validation or subject.train
    if split is None or not split.encoded:
        return
    rows = tuple(losses.row for losses in own_losses)
    complete = len(rows) == len(split.encoded)
    for plain in ends(subject, split):
        yield from packed_shorter(subject, split, plain)
        whole = replace(plain, whole=True)
        laid = laid_rows(subject, split, rows, whole)
        if laid != laid_rows(subject, split, rows, plain):
            yield from filter(None, [layout_alone(subject, passes, laid, whole, complete=complete)])
            yield from packed_layout(subject, split, whole)
    yield from left_layouts(subject, split, passes, rows, is_worth)
