"""Where a row's own end token stands: last, or with a line break after it, as chat templates write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.data.rows import TokenRow

BEHIND = 2
"""Ids that may stand behind an end: a template writes a line break or two."""
MOST = 0.5
"""A template writes them in every row; pieces of texts have an end so near to theirs by chance, and seldom."""


def end_place(row: TokenRow, end_ids: frozenset[int]) -> int | None:
    """Return the index in ``row.ids`` of its end token; None if it has none. An end in the prompt is not the row's."""
    first = max(row.first_target, row.prompt_tokens, len(row.ids) - 1 - BEHIND)
    return next((i for i in range(len(row.ids) - 1, first - 1, -1) if row.ids[i] in end_ids), None)


def have_more_behind(rows: Sequence[TokenRow], end_ids: frozenset[int]) -> bool:
    """Whether something stands behind the end of most rows: they neither get an end nor lose it at their last id."""
    count = sum(row.ids[-1] not in end_ids and end_place(row, end_ids) is not None for row in rows)
    return count > MOST * len(rows)
