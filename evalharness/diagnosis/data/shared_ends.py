"""What sequences have in common at their beginning and at their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def shared_prefix(sequences: Sequence[Sequence[int] | str]) -> int:
    """Return how many elements all ``sequences`` begin with alike; 0 without any."""
    if not sequences:
        return 0
    shortest = min(map(len, sequences))
    first = sequences[0]
    return next((i for i in range(shortest) if any(s[i] != first[i] for s in sequences)), shortest)


def shared_suffix(sequences: Sequence[Sequence[int] | str]) -> int:
    """Return how many elements all ``sequences`` end with alike; 0 without any."""
    return shared_prefix([sequence[::-1] for sequence in sequences])
