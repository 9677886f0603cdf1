"""A row as the same text in other tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalharness.diagnosis.data.rows import DataRow, TokenRow
    from evalharness.diagnosis.subject import Split, Subject


@dataclass(frozen=True, slots=True)
class EncodedAnew:
    """The row, and how much text it has, of what it had before: other tokens are cut elsewhere by the context."""

    row: TokenRow
    text_share: float


def encoded_anew(row: TokenRow, subject: Subject, split: Split, encode: Callable[[str], list[int]]) -> EncodedAnew:
    """The text of ``row`` by ``encode``, between the same begin and end tokens, cut to the context.

    Raises ``ValueError`` if ``encode`` can't spell it.
    """
    data = split.rows[row.row]
    begin = () if data.rendered else subject.begin_ids
    prompt = (*begin, *(encode(data.prompt) if data.prompt else ()))
    ids = (*prompt, *encode(_completion(row, data, subject)))
    last = row.ids[-1:]
    if last and last[0] in subject.end_ids and ids[-1] not in subject.end_ids:
        ids = (*ids, *last)
    kept = ids[: subject.model.context_length]
    made = replace(
        row,
        ids=kept,
        first_target=1 if row.first_target == 1 else max(1, len(prompt)),
        prompt_tokens=min(len(prompt), len(kept)),
        tokens=len(ids),
    )
    whole = not row.was_cut and kept == ids
    return EncodedAnew(made, 1.0 if whole else _length(made, subject) / max(1, _length(row, subject)))


def _completion(row: TokenRow, data: DataRow, subject: Subject) -> str:
    """The text of the completion; of running text the piece that the row is."""
    if not data.running:
        return data.completion
    ids = row.ids[row.prompt_tokens :]
    return subject.tokenizer.decode([i for i in ids if i not in subject.end_ids])


def _length(row: TokenRow, subject: Subject) -> int:
    return len(subject.tokenizer.decode(row.ids))
