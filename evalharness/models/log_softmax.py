"""Log-softmax over a vocabulary, a few positions at a time: never a second copy of all logits in double precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 2**20
"""Logits that are looked at together: 8 MiB in double precision, whatever the length and the vocabulary are. More would
neither stay in a processor's cache nor be memory that the next chunk uses again."""


def in_chunks(logits: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield slices of the positions of ``logits`` ``(positions, vocabulary)``, and those logits in float64."""
    at_once = max(1, CHUNK // logits.shape[-1])
    for begin in range(0, len(logits), at_once):
        places = slice(begin, begin + at_once)
        yield places, logits[places].double()


def log_probabilities_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The log-probability (nats, float64) of the target ``(positions,)`` at each position of ``logits``."""
    parts = [
        torch.log_softmax(part, dim=-1).gather(1, targets[places, None])[:, 0] for places, part in in_chunks(logits)
    ]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64, device=logits.device)
