"""Rows as a training loop may lay them out, each measured once, with the kind of each of their ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evalharness.diagnosis.data.rows import TokenRow, measured_rows
from evalharness.diagnosis.data.spread import every
from evalharness.diagnosis.losses.padding_candidates import PaddingId, padded, padding_ids
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS
from evalharness.diagnosis.losses.token_losses import RowLosses, token_losses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.diagnosis.subject import Split, Subject

PROMPT, TEXT, END, PADDING = range(4)
"""What an id of a row is."""
ALONE = "rows alone"
PADDED_ROWS = 32
"""Rows that are measured with padding: each costs a pass of full length for each padding id, with an end token
and without."""
LONGEST = 1024
"""Rows are padded and packed to the context, but not to more than this, which bounds what a pass costs."""

_Kinds = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Layout:
    """All measured rows in one layout.

    ``words`` says which. ``kinds[i][t]`` is what id ``t`` of row ``i`` is. ``padding`` is the id of the padding, None
    without any. ``end``: whether an end token stands after each whole row (None where no end token is known).
    ``as_given``: one row after another as they are, nothing added and nothing taken away.
    """

    words: str
    losses: tuple[RowLosses, ...]
    kinds: tuple[_Kinds, ...]
    end: bool | None
    padding: PaddingId | None = None
    as_given: bool = False


def layouts(subject: Subject, own_losses: TokenLosses) -> Iterator[Layout]:
    """Rows alone, padded to the longest and to the context, and packed; each with an end token after it and without."""
    split = subject.validation or subject.train
    if split is None or not split.encoded:
        return
    rows = measured_rows(split.encoded)
    pads = padding_ids(subject, [rows[i] for i in every(len(rows), PADDED_ROWS)])
    for end, variant in _variants(subject, split, rows):
        as_given = [row.ids for row in variant] == [row.ids for row in rows]
        losses = own_losses if as_given else _measured(subject, variant)
        yield Layout(ALONE, losses, _kinds(variant, subject.end_ids), end, as_given=as_given)
        yield from _padded(subject, split, variant, end, pads)
        yield from _packed(subject, variant, end)


def _variants(
    subject: Subject, split: Split, rows: tuple[TokenRow, ...]
) -> Iterator[tuple[bool | None, tuple[TokenRow, ...]]]:
    """The rows without an end token, and with one; the rows as they are where none is known."""
    if not subject.end_ids:
        yield None, rows
        return
    last = [row.ids[-1] for row in split.encoded if row.ids[-1] in subject.end_ids]
    token_id = last[0] if last else min(subject.end_ids)
    without = tuple(_without_end(row, subject.end_ids) for row in rows)
    yield False, tuple(row for row in without if len(row.ids) > row.first_target)
    yield True, tuple(_with_end(row, token_id, subject.model.context_length) for row in without)


def _without_end(row: TokenRow, end_ids: frozenset[int]) -> TokenRow:
    return replace(row, ids=row.ids[:-1], tokens=len(row.ids) - 1) if row.ids[-1] in end_ids else row


def _with_end(row: TokenRow, token_id: int, context_length: int | None) -> TokenRow:
    """A row that was cut, or that fills the context, has no place for an end."""
    if row.was_cut or len(row.ids) == context_length:
        return row
    return replace(row, ids=(*row.ids, token_id), tokens=len(row.ids) + 1)


def _padded(
    subject: Subject, split: Split, rows: tuple[TokenRow, ...], end: bool | None, pads: Sequence[PaddingId]
) -> Iterator[Layout]:
    chosen = tuple(rows[i] for i in every(len(rows), PADDED_ROWS))
    longest = min(max(len(row.ids) for row in split.encoded) + bool(end), LONGEST)
    context = min(subject.model.context_length or longest, LONGEST)
    kinds = _kinds(chosen, subject.end_ids)
    for pad in pads:
        if end is False and pad.token_id in subject.end_ids:
            continue  # the first of the padding is then the end: the same ids as with one
        full = max(context, longest)
        losses = _measured(subject, [padded(row, pad.token_id, full) for row in chosen])
        for length in sorted({context, longest}):
            words = f"rows padded to {length} with id {pad.token_id}"
            cut = tuple(_cut(row, max(length, len(kind))) for row, kind in zip(losses, kinds, strict=True))
            longer = tuple(
                np.pad(kind, (0, len(row.row.ids) - len(kind)), constant_values=PADDING)
                for row, kind in zip(cut, kinds, strict=True)
            )
            yield Layout(words, cut, longer, end, pad)


def _cut(losses: RowLosses, length: int) -> RowLosses:
    """The first ``length`` ids of a measured row. What follows them matters only to a model that leaks."""
    n = length - 1
    return RowLosses(
        row=replace(losses.row, ids=losses.row.ids[:length]),
        nll_nats=losses.nll_nats[:n],
        at_offset_nats=losses.at_offset_nats[:, :n],
        mean_nll_nats=losses.mean_nll_nats[:n],
        entropy_nats=losses.entropy_nats[:n],
        rank=losses.rank[:n],
        end_log_p=losses.end_log_p[:n],
    )


def _packed(subject: Subject, rows: tuple[TokenRow, ...], end: bool | None) -> Iterator[Layout]:
    """The rows one after another, in blocks of a context, as pre-training has them."""
    length = min(subject.model.context_length or LONGEST, LONGEST)
    ids = [token_id for row in rows for token_id in row.ids]
    kinds = np.concatenate(_kinds(rows, subject.end_ids))
    blocks = [slice(begin, begin + length) for begin in range(0, len(ids) - length + 1, length)]
    if len(blocks) < FEWEST_ROWS or length < 2:
        return
    losses = _measured(subject, [TokenRow(tuple(ids[block]), 1) for block in blocks])
    yield Layout(f"rows packed in blocks of {length}", losses, tuple(kinds[block] for block in blocks), end)


def _measured(subject: Subject, rows: Sequence[TokenRow]) -> tuple[RowLosses, ...]:
    return token_losses(subject.torch_model, rows, sorted(subject.end_ids))


def _kinds(rows: Sequence[TokenRow], end_ids: frozenset[int]) -> tuple[_Kinds, ...]:
    return tuple(_kind(row, end_ids) for row in rows)


def _kind(row: TokenRow, end_ids: frozenset[int]) -> _Kinds:
    kinds = np.full(len(row.ids), TEXT, dtype=np.int8)
    kinds[: max(row.prompt_tokens, row.first_target if row.first_target > 1 else 0)] = PROMPT
    if row.ids[-1] in end_ids:
        kinds[-1] = END
    return kinds
