"""How a row of data becomes ids: encoded in parts or whole, with an end token or without, behind padding or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.data.row_ends import end_place
from evalharness.diagnosis.data.shared_ends import shared_prefix

if TYPE_CHECKING:
    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.subject import Split, Subject
    from evalharness.models.protocols import TorchModel


@dataclass(frozen=True, slots=True)
class Arrangement:
    """One way to turn a row into ids and to run the model on them, as a training loop has it.

    ``whole``: prompt and completion are encoded as one text. ``end``: an end token stands after each whole row (None:
    the rows stay as they are read); ``end_id`` is that token. ``more_behind``: rows have something behind their end,
    which goes with it. ``left``: the row is filled up on the left to this many
    ids with ``pad_id``, and positions are counted from the first padding.
    """

    whole: bool = False
    end: bool | None = None
    end_id: int = -1
    more_behind: bool = False
    left: int | None = None
    pad_id: int = -1

    @property
    def words(self) -> str:
        """The layout, in a few words."""
        if self.left is not None:
            return f"rows padded on the left to {self.left} with id {self.pad_id}, positions counted from the padding"
        return "rows encoded whole" if self.whole else "rows alone"

    def row(self, subject: Subject, split: Split, row: TokenRow) -> TokenRow:
        """A row of ``split`` in this arrangement. One padding id stands before a row that is padded on the left."""
        laid = encoded_whole(subject, split, row) if self.whole else row
        if self.end is not None:
            laid = _without_end(laid, subject.end_ids, more_behind=self.more_behind)
        if self.end:
            laid = _with_end(laid, self.end_id, subject.model.context_length)
        return laid if self.left is None or len(laid.ids) >= self.left else _behind_one(laid, self.pad_id)

    def logits(self, model: TorchModel, ids: torch.Tensor) -> torch.Tensor:
        """Logits for ``ids`` of shape ``(1, length)``, which :meth:`row` gave; shape ``(1, length, vocabulary)``."""
        missing = 0 if self.left is None else self.left - 1 - ids.shape[1]
        if missing <= 0:
            return model.logits(ids)
        padded = torch.cat([torch.full((1, missing), self.pad_id, device=ids.device), ids], dim=1)
        if "cache" not in model.capabilities:
            return model.logits(padded)[:, missing:]
        mask = torch.ones_like(padded)
        mask[:, : missing + 1] = 0
        positions = torch.arange(padded.shape[1], device=ids.device)[None]
        return model.cached_logits(padded, mask, positions, None)[0][:, missing:]


def encoded_whole(subject: Subject, split: Split, row: TokenRow) -> TokenRow:
    """The row with its prompt and its completion encoded as one text; the row itself where there is nothing to join."""
    text = split.rows[row.row] if row.row < len(split.rows) else None
    if text is None or text.running or not text.prompt or not text.completion:
        return row
    begin, encode = () if text.rendered else subject.begin_ids, subject.tokenizer.encode
    try:
        ids = (*begin, *encode(text.prompt + text.completion))
        apart = (*begin, *encode(text.prompt), *encode(text.completion))
    except ValueError:
        return row
    whole = (*ids, *_beyond_text(row, apart, ids, subject.end_ids))
    cut = whole[: subject.model.context_length]
    # A token that spans the boundary is the first of the completion: its end stands there.
    prompt = min(shared_prefix([row.ids[: row.prompt_tokens], cut]), len(cut))
    return replace(
        row, ids=cut, tokens=len(whole), prompt_tokens=prompt, first_target=min(row.first_target, prompt) or 1
    )


def _beyond_text(
    row: TokenRow, apart: tuple[int, ...], whole: tuple[int, ...], end_ids: frozenset[int]
) -> tuple[int, ...]:
    """What a row holds behind its text, whether or not it is known as an end token."""
    if row.was_cut:
        return ()
    if row.ids[: len(apart)] == apart:
        return row.ids[len(apart) :]
    return row.ids[-1:] if row.ids[-1] in end_ids and whole[-1:] != row.ids[-1:] else ()


def uncut(subject: Subject, split: Split, row: TokenRow) -> TokenRow:
    """The row with all its ids, however long the context is."""
    if not row.was_cut or row.row >= len(split.rows):
        return row
    text = split.rows[row.row]
    begin = () if text.rendered else subject.begin_ids
    prompt = subject.tokenizer.encode(text.prompt) if text.prompt else []
    ids = (*begin, *prompt, *subject.tokenizer.encode(text.completion))
    return replace(row, ids=ids, tokens=len(ids))


def _without_end(row: TokenRow, end_ids: frozenset[int], *, more_behind: bool) -> TokenRow:
    place = end_place(row, end_ids)
    if place is None or (row.ids[place] != row.ids[-1] and not more_behind):
        return row
    return replace(row, ids=row.ids[:place], tokens=place)


def _with_end(row: TokenRow, token_id: int, context_length: int | None) -> TokenRow:
    """A row that was cut, or that fills the context, has no place for an end."""
    if row.was_cut or len(row.ids) == context_length:
        return row
    return replace(row, ids=(*row.ids, token_id), tokens=len(row.ids) + 1)


def _behind_one(row: TokenRow, pad_id: int) -> TokenRow:
    first = 1 if row.first_target <= 1 else row.first_target + 1
    return replace(
        row, ids=(pad_id, *row.ids), tokens=row.tokens + 1, prompt_tokens=row.prompt_tokens + 1, first_target=first
    )
