"""How many bytes of text a token has on average, which makes bits per byte and nats per token the same figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.diagnosis.data.spread import every
from evalharness.diagnosis.losses.conventions import text_bytes

if TYPE_CHECKING:
    from collections.abc import Container

    from evalharness.diagnosis.subject import Split
    from evalharness.models.protocols import Tokenizer

ENOUGH_ROWS = 300
"""The mean of so many rows of a data set is known within some percent of itself."""


def bytes_per_token(split: Split, tokenizer: Tokenizer, end_ids: Container[int]) -> float | None:
    """UTF-8 bytes for each target that is text; None if the rows have none."""
    size = count = 0
    for i in every(len(split.encoded), ENOUGH_ROWS):
        row = split.encoded[i]
        places = [t for t in range(max(row.first_target, 1), len(row.ids)) if row.ids[t] not in end_ids]
        size += text_bytes(tokenizer, row.ids, places)
        count += len(places)
    return size / count if size else None
