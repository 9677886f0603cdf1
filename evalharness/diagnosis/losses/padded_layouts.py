"""Rows padded on the right with padding that counts; of a dear model a few places of it are looked at first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.losses.layouts import LONGEST, PADDING, Layout, losses_in, row_kinds
from evalharness.diagnosis.losses.padding_candidates import padded
from evalharness.diagnosis.losses.token_losses import first_positions, repeated_last
from evalharness.diagnosis.trials.dear import is_dear

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.arrangement import Arrangement
    from evalharness.diagnosis.losses.layouts import Kinds
    from evalharness.diagnosis.losses.padding_candidates import PaddingId
    from evalharness.diagnosis.losses.token_losses import RowLosses
    from evalharness.diagnosis.subject import Split, Subject

PADDED_ROWS = 32
PADDED_TOKENS = 8192
"""Rows that are measured with padding, and their tokens together where contexts are long: each costs a pass of full
length for each padding id, with an end token and without."""
LOOKED_ROWS, LOOKED_PLACES = 6, 16
"""Of a dear model a few places of padding are looked at first, behind a few rows: padding that counted in training is
known from the first or second place on."""
IsWorth = Callable[[Layout, float | None], bool]
"""Whether a layout is worth a full measurement, by few rows of it, and by the loss of their text alone if that is
known."""


def padded_layouts(
    subject: Subject,
    split: Split,
    rows: tuple[TokenRow, ...],
    how: Arrangement,
    pads: Sequence[PaddingId],
    is_worth: IsWorth,
) -> Iterator[Layout]:
    """Rows padded to the longest of the file and to the context, with each of ``pads``."""
    longest = min(max(len(row.ids) for row in split.encoded) + bool(how.end), LONGEST)
    context = min(subject.model.context_length or longest, LONGEST)
    lengths = sorted({context, longest})
    chosen = evenly(rows, min(PADDED_ROWS, PADDED_TOKENS // max(lengths)))
    for pad in pads:
        if how.end is False and pad.token_id in subject.end_ids:
            continue  # the first of the padding is then the end: the same ids as with one
        if is_dear(subject.torch_model):
            look = _look(subject, evenly(rows, LOOKED_ROWS), how, pad)
            yield look
            if not any(is_worth(_prolonged(look, length), None) for length in lengths):
                continue
        losses = losses_in(subject, [padded(row, pad.token_id, max(lengths)) for row in chosen])
        kinds = row_kinds(chosen, subject)
        for length in lengths:
            words = f"rows padded to {length} with id {pad.token_id}"
            cut = tuple(first_positions(row, max(length, len(kind))) for row, kind in zip(losses, kinds, strict=True))
            yield Layout(words, cut, _behind(kinds, cut), how, pad)


def _look(subject: Subject, rows: Sequence[TokenRow], how: Arrangement, pad: PaddingId) -> Layout:
    """A few places of padding behind each of ``rows``, as far as the context has room."""
    limit = subject.model.context_length
    ids = [(*row.ids, *(pad.token_id,) * LOOKED_PLACES)[: None if limit is None else limit + 1] for row in rows]
    losses = losses_in(subject, [replace(row, ids=longer) for row, longer in zip(rows, ids, strict=True)])
    words = f"rows padded by {LOOKED_PLACES} with id {pad.token_id}"
    return Layout(words, losses, _behind(row_kinds(rows, subject), losses), how, pad, is_look=True)


def _prolonged(look: Layout, length: int) -> Layout:
    """What a look makes expect of padding up to ``length``: that it goes on as it was at the last place."""
    losses = tuple(repeated_last(row, length) for row in look.losses)
    return replace(look, losses=losses, kinds=_behind(look.kinds, losses), is_look=False)


def _behind(kinds: Sequence[Kinds], losses: Sequence[RowLosses]) -> tuple[Kinds, ...]:
    """The kinds of the ids of rows, where all that comes behind these is padding."""
    return tuple(
        np.pad(kind, (0, len(row.row.ids) - len(kind)), constant_values=PADDING)
        for row, kind in zip(losses, kinds, strict=True)
    )
