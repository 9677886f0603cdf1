"""The random numbers that tests draw. A program that could foresee them would answer without being asked.

Python's generators are those that functions of ``random`` and of ``numpy.random`` use where tests make none themselves.
"""

from __future__ import annotations

import os
import random
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class DrawnNumbers:
    """The generators, seeded by the operating system and nothing that a program knows, and whether they were used."""

    def __init__(self) -> None:
        self._before: list[Any] = []

    def seed(self) -> None:
        """Seed the generators anew."""
        random.seed(os.urandom(32))
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(int.from_bytes(os.urandom(4), "little"))
        self._before = _states()

    def were_drawn(self) -> bool:
        """Whether a number was drawn since then, or the tests seeded a generator themselves."""
        return bool(self._before) and self._before != _states()


def _states() -> list[Any]:
    states: list[Any] = [random.getstate()]
    if "numpy" in sys.modules:
        name, keys, *rest = sys.modules["numpy"].random.get_state()
        states.append((name, keys.tobytes(), rest))
    return states
