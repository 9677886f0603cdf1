"""A few items, spread evenly over many: neighbours are often alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Item = TypeVar("Item")


def every(count: int, at_most: int) -> list[int]:
    """At most ``at_most`` indices, spread evenly over ``range(count)``."""
    chosen = min(count, at_most)
    return [i * count // chosen for i in range(chosen)]


def evenly(items: Sequence[Item], at_most: int) -> tuple[Item, ...]:
    """At most ``at_most`` of ``items``, spread evenly over all of them."""
    return tuple(items[i] for i in every(len(items), at_most))
