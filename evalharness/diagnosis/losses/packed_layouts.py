"""Rows one after another in blocks, as pre-training has them."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from evalharness.diagnosis.data.rows import TokenRow
from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.losses.arrangement import uncut
from evalharness.diagnosis.losses.layouts import LONGEST, Layout, losses_in, row_kinds
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS, capped
from evalharness.diagnosis.trials.dear import is_dear

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.losses.arrangement import Arrangement
    from evalharness.diagnosis.subject import Split, Subject

BLOCKS = tuple(sorted(size * 2**power for size in (2, 3) for power in range(4, 10)))
"""Lengths of blocks as they are used: 32, 48, 64, 96 and so on."""
AS_EASY = 1.01
"""Rows are packed in training in blocks of that length at which they are easiest: in shorter ones a token has less
before it, and in longer ones it stands where no training came. So near to it no difference is told."""
BLOCKS_WORK = 4e12
"""Floating-point operations that all lengths together may cost: a minute of a laptop. A large model is not asked."""
PACKED_TOKENS = 8192
"""Tokens of a dear model that are measured packed, at most."""


def packed_anew(subject: Subject, like: Layout) -> Layout | None:
    """The rows of a packed layout again, in an order drawn at random: next to none has its neighbour of the file."""
    split = subject.validation or subject.train
    if split is None:
        return None
    rows = list(split.encoded)
    Random(subject.seed).shuffle(rows)  # noqa: S311 - an order, no secret
    return next(packed_layout(subject, replace(split, encoded=tuple(rows)), like.arrangement, like.block), None)


def packed_shorter(subject: Subject, split: Split, how: Arrangement) -> Iterator[Layout]:
    """Blocks shorter than the context, of those lengths at which the rows are easiest; the log has no say in it.

    Running text was read in pieces of the context, and training may have cut it into pieces of any length.
    """
    context = min(subject.model.context_length or LONGEST, LONGEST)
    shortest = 0.0 if split.is_running_text else float(np.median([len(row.ids) for row in split.encoded]))
    lengths = [length for length in (*BLOCKS, context) if shortest < length <= context]
    if _work(subject, split) * len(lengths) > BLOCKS_WORK:
        return
    layouts = [layout for length in dict.fromkeys(lengths) for layout in packed_layout(subject, split, how, length)]
    nats = [_every_nats(layout) for layout in layouts]
    for layout, own in zip(layouts, nats, strict=True):
        if layout.block != context and own <= AS_EASY * min(nats):
            yield layout


def _work(subject: Subject, split: Split) -> float:
    """Floating-point operations of a pass over the measured rows, two for each parameter and token."""
    tokens = sum(len(row.ids) for row in split.measured)
    return 2.0 * tokens * sum(parameter.numel() for parameter in subject.torch_model.module.parameters())


def _every_nats(layout: Layout) -> float:
    """The mean loss of all targets."""
    return float(np.concatenate([capped(row.nll_nats) for row in layout.losses]).mean())


def packed_layout(subject: Subject, split: Split, how: Arrangement, block: int | None = None) -> Iterator[Layout]:
    """All rows one after another, uncut, in blocks of a context, as pre-training has them, or of ``block`` ids.

    Neighbours are those of the file, for a model may have learnt from them. As many blocks are measured as the measured
    rows would fill; of a dear model a few.
    """
    length = block or min(subject.model.context_length or LONGEST, LONGEST)
    laid = [how.row(subject, split, uncut(subject, split, row)) for row in split.encoded]
    if length < 2:
        return
    ids = [token_id for row in laid for token_id in row.ids]
    kinds = np.concatenate(row_kinds(laid, subject))
    blocks = [slice(begin, begin + length) for begin in range(0, len(ids) - length + 1, length)]
    tokens = sum(len(row.ids) for row in split.measured)
    at_most = min(tokens, PACKED_TOKENS) if is_dear(subject.torch_model) else tokens
    chosen = evenly(blocks, at_most // length + 1)
    if len(chosen) < FEWEST_ROWS:
        return
    losses = losses_in(subject, [TokenRow(tuple(ids[block]), 1) for block in chosen])
    words = (
        f"rows packed in blocks of {length}" if not how.whole else f"rows encoded whole, packed in blocks of {length}"
    )
    of_blocks = tuple(kinds[block] for block in chosen)
    yield Layout(words, losses, of_blocks, how, block=length, complete=len(chosen) == len(blocks))
