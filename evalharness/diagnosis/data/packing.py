"""Rows joined one after the other, and cut to the context's length, as packed training sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.diagnosis.data.rows import TokenRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def packed(rows: Iterable[TokenRow], context_length: int, end_id: int | None) -> list[TokenRow]:
    """Join whole rows, with the end token after each that lacks it, and cut them into pieces of the context's length.

    A piece is known by the row that it begins in. All its tokens count.
    """
    ids: list[int] = []
    row_of: list[int] = []
    for row in rows:
        whole = _ended(row.ids, end_id)
        ids += whole
        row_of += [row.row] * len(whole)
    return [
        TokenRow(tuple(piece), 1, 0, row_of[begin], len(piece))
        for begin in range(0, len(ids), context_length)
        if len(piece := ids[begin : begin + context_length]) > 1
    ]


def _ended(ids: Sequence[int], end_id: int | None) -> tuple[int, ...]:
    return tuple(ids) if end_id is None or ids[-1:] == (end_id,) else (*ids, end_id)
