"""How many bytes of text tokens have, which makes bits per byte and nats per token the same figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.diagnosis.data.spread import every
from evalharness.diagnosis.losses.row_means import bits

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

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


def bits_per_byte(total_nats: float, of_bytes: int) -> float | None:
    """A summed loss as bits for each byte of the text that was predicted; None where there is no text."""
    return bits(total_nats) / of_bytes if of_bytes else None


def text_bytes(tokenizer: Tokenizer, ids: Sequence[int], places: Sequence[int]) -> int:
    """UTF-8 bytes of the text of the ids at ascending ``places``, each run of them in its context."""
    total = 0
    for begin, stop in _runs(places):
        total += _prefix_bytes(tokenizer, ids[:stop]) - _prefix_bytes(tokenizer, ids[:begin])
    return total


def _runs(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """``[1, 2, 3, 7]`` as ``(1, 4), (7, 8)``."""
    starts = [t for i, t in enumerate(places) if i == 0 or places[i - 1] != t - 1]
    stops = [t + 1 for i, t in enumerate(places) if i + 1 == len(places) or places[i + 1] != t + 1]
    yield from zip(starts, stops, strict=True)


def _prefix_bytes(tokenizer: Tokenizer, ids: Sequence[int]) -> int:
    # A character that is cut at the end of the prefix counts where its last byte stands.
    return len(tokenizer.decode(ids).rstrip("\ufffd").encode("utf-8", "replace")) if ids else 0
