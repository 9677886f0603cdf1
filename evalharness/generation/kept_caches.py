"""Caches of rows that may be asked about again, as many as there is room for."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator


OF_UNKNOWN_SIZE = 4
"""How many caches are kept that don't tell their size."""


class KeptCaches:
    """What was read of rows, by keys of the caller's own, with how many ids it holds.

    All caches together take at most ``most_bytes``; those that were not asked for the longest time go first.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: dict[Hashable, tuple[int, Any, int]] = {}

    def taken(self, key: Hashable) -> tuple[int, Any] | None:
        """How many ids a cache holds, and the cache, for the caller alone: it grows in place."""
        if key not in self._kept:
            return None
        held, cache, _ = self._kept.pop(key)
        return held, cache

    def copied(self, key: Hashable) -> tuple[int, Any] | None:
        """The same with a copy of the cache, which stays."""
        taken = self.taken(key)
        if taken is None:
            return None
        held, cache = taken
        self.keep(key, held, cache)
        return held, copy.deepcopy(cache)

    def keep(self, key: Hashable, held: int, cache: Any) -> None:
        """Keep a cache that holds ``held`` ids, unless it alone takes too much."""
        self._kept[key] = held, cache, _size(cache) or self._most_bytes // OF_UNKNOWN_SIZE
        while sum(size for _, _, size in self._kept.values()) > self._most_bytes:
            del self._kept[next(iter(self._kept))]


def _size(cache: Any) -> int | None:
    """Bytes of the tensors in a cache of transformers, or in one of nested tuples; None where there are none."""
    layers = getattr(cache, "layers", None)
    parts = [list(vars(layer).values()) for layer in layers] if isinstance(layers, list) else cache
    return sum(tensor.nbytes for tensor in _tensors(parts)) or None


def _tensors(parts: Any) -> Iterator[torch.Tensor]:
    if isinstance(parts, torch.Tensor):
        yield parts
    elif isinstance(parts, (list, tuple)):
        for part in parts:
            yield from _tensors(part)
