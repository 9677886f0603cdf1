"""Which id the padding may be, and rows as they look when they are padded."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.rows import TokenRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.diagnosis.losses.parallel_passes import ParallelPasses
    from evalharness.diagnosis.subject import Subject

PADDING_NAME = re.compile(r"\W{0,4}(pad|padding)\W{0,4}", re.IGNORECASE)
"""What a padding token is called: <pad>, [PAD], <|padding|>, … never a bare word within text."""
ENDS_OF_VOCABULARY = 1024
"""Special tokens come first or last in a vocabulary: this many ids at either end are looked at."""
CANDIDATES = 2
"""Each costs forward passes over padded rows."""


@dataclass(frozen=True, slots=True)
class PaddingId:
    """An id that rows may be padded with. ``known``: it is named so, is no end token, and stands in no row."""

    token_id: int
    known: bool


def padding_ids(subject: Subject, rows: Sequence[TokenRow], passes: ParallelPasses) -> tuple[PaddingId, ...]:
    """The likeliest first: what is named padding, what the model expects after a row, then the end token and id 0.

    What the model expects counts only where no row holds it: such a token can have been learned from padding alone, or
    is an end token that nobody named. Costs one forward pass per row, unless its losses are known.
    """
    used = {token_id for row in rows for token_id in row.ids}
    named = [i for i in _named(subject) if i not in used and i not in subject.end_ids]
    expected = [i for i in _expected(rows, passes) if i not in used]
    order = dict.fromkeys([*named, *expected, *sorted(subject.end_ids)[:1], 0])
    inside = [i for i in order if 0 <= i < subject.torch_model.vocabulary_rows]
    return tuple(PaddingId(i, i in named) for i in inside[:CANDIDATES])


def _named(subject: Subject) -> Iterator[int]:
    configured = getattr(getattr(subject.torch_model.module, "config", None), "pad_token_id", None)
    if isinstance(configured, int):
        yield configured
    size = subject.tokenizer.vocab_size
    for token_id in sorted({*range(min(size, ENDS_OF_VOCABULARY)), *range(max(0, size - ENDS_OF_VOCABULARY), size)}):
        try:
            text = subject.tokenizer.decode([token_id])
        except (ValueError, IndexError, KeyError):
            continue
        if not text.isalpha() and PADDING_NAME.fullmatch(text.strip()):
            yield token_id


def _expected(rows: Sequence[TokenRow], passes: ParallelPasses) -> list[int]:
    """The ids that the model puts first after whole rows, where one is first after most."""
    whole = [replace(row, ids=(*row.ids, passes.end_id or 0)) for row in rows if not row.was_cut]
    first = [int(losses.best[-1]) for losses in passes.losses(whole)]
    return [i for i in set(first) if 2 * first.count(i) > len(first)]


def padded(row: TokenRow, token_id: int, length: int) -> TokenRow:
    """The row with padding on the right up to ``length`` ids."""
    ids = (row.ids + (token_id,) * length)[: max(length, len(row.ids))]
    return TokenRow(ids, row.first_target, row.prompt_tokens, row.row, row.tokens)
