"""The parallel losses of rows, a pass each: in a causal model that over a longer row serves what it begins with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from evalharness.diagnosis.losses.token_losses import first_positions, token_losses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.token_losses import RowLosses, TokenLosses
    from evalharness.models.protocols import TorchModel


@dataclass(slots=True)
class ParallelPasses:
    """Losses by the ids that were read. ``end_ids`` are the model's end tokens, in ascending order.

    ``is_causal``: the model was shown to be. Then a row that another one begins with needs no pass of its own, and each
    is read with an end token behind it, if one is known: that costs one position, and serves the row with it and
    without. Else every row is read as it is.
    """

    model: TorchModel
    end_ids: tuple[int, ...]
    is_causal: bool
    _kept: dict[tuple[int, ...], RowLosses] = field(default_factory=dict)

    @property
    def end_id(self) -> int | None:
        """The end token that is put behind rows; None if the model has a row for none."""
        return next((i for i in self.end_ids if i < self.model.vocabulary_rows), None)

    def losses(self, rows: Sequence[TokenRow]) -> TokenLosses:
        """The losses of each row. Raises :class:`EvaluationError` where the model returns NaN on its own data."""
        return tuple(map(self._of_row, rows))

    def _of_row(self, row: TokenRow) -> RowLosses:
        kept = self._kept.get(row.ids) or self._begins_with(row.ids)
        if kept is None:
            ids = self._with_end(row.ids)
            (kept,) = token_losses(self.model, [replace(row, ids=ids)], self.end_ids)
            self._kept[ids] = kept
        return replace(first_positions(kept, len(row.ids)), row=row)

    def _begins_with(self, ids: tuple[int, ...]) -> RowLosses | None:
        """What is known of a longer row that begins with ``ids``; nothing after a position changes a causal model."""
        if not self.is_causal:
            return None
        last, n = ids[-1], len(ids)
        longer = (losses for read, losses in self._kept.items() if len(read) > n and read[n - 1] == last)
        return next((losses for losses in longer if losses.row.ids[:n] == ids), None)

    def _with_end(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        """The row with an end behind it, where that is another row of a causal model, and the context has room.

        All ids of the row are then input, and a model takes as many as its context is long.
        """
        has_room = self.model.context_length is None or len(ids) <= self.model.context_length
        if not self.is_causal or self.end_id is None or ids[-1] in self.end_ids or not has_room:
            return ids
        return (*ids, self.end_id)
