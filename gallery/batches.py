"""Rows of ids as tensors: padded on either side, or packed into blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from small_tokenizer import PAD_ID, Encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Batch:
    """Ids and labels, both ``(rows, length)`` and not shifted against each other; a label of -100 does not count.

    ``prompt_tokens`` is ``(rows,)``.
    """

    ids: Tensor
    labels: Tensor
    prompt_tokens: Tensor

    @property
    def inputs(self) -> Tensor:
        """All tokens but the last, which predicts nothing."""
        return self.ids[:, :-1]

    @property
    def targets(self) -> Tensor:
        """What each input has to predict."""
        return self.labels[:, 1:]

    @property
    def counted(self) -> int:
        """How many targets count."""
        return int((self.targets != IGNORED).sum())


def padded(rows: Sequence[Encoded], *, count_prompt: bool = True, left: bool = False, length: int = 0) -> Batch:
    """Rows filled up to the longest, or to ``length``, with padding that does not count."""
    longest = max(length, *(len(row.ids) for row in rows))
    ids = torch.full((len(rows), longest), PAD_ID)
    labels = torch.full_like(ids, IGNORED)
    for place, row in enumerate(rows):
        begin = longest - len(row.ids) if left else 0
        own, first = torch.tensor(row.ids), 0 if count_prompt else row.prompt_tokens
        ids[place, begin : begin + len(own)] = own
        labels[place, begin + first : begin + len(own)] = own[first:]
    return Batch(ids, labels, torch.tensor([row.prompt_tokens for row in rows]))


def blocks(rows: Sequence[Encoded], length: int) -> list[Encoded]:
    """The rows one behind the other, cut into blocks of ``length`` tokens; what remains at the end is left out."""
    ids = tuple(token_id for row in rows for token_id in row.ids)
    return [Encoded(ids[at : at + length], 0) for at in range(0, len(ids) - length + 1, length)]


def in_order(rows: Sequence[Encoded], size: int = 32) -> list[Sequence[Encoded]]:
    """All rows in their order, ``size`` at a time."""
    return [rows[at : at + size] for at in range(0, len(rows), size)]
