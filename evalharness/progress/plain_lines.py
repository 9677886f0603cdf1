"""How far long work is, in lines: for a log, or for a stderr that is no terminal."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Self

from evalharness.progress.time_left import TimeLeft, duration, rate

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_S = 10.0
"""How often a long stage shows its progress, in seconds."""


def to_stderr(line: str) -> None:
    """Print a line on stderr."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - what it is for


class Lines:
    """One line for each message and each stage, and every ten seconds how far a long stage is.

    Within the context a thread of its own says so while nothing else does, for one piece of a stage may take minutes.
    """

    def __init__(self, write: Callable[[str], object] = to_stderr, clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._name = ""
        self._items, self._pieces = TimeLeft(clock), TimeLeft(clock)
        self._last_shown = clock()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._keep_saying, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def say(self, line: str) -> None:
        """Write it."""
        self._write(line)

    def item(self, name: str, number: int, total: int) -> None:
        """Write its name, and about how long all of them take."""
        self._items.reach(number, total)
        left_s = self._items.left_s
        left = "" if left_s is None else f", about {duration(left_s)} left"
        self._write(f"{name} ({number} of {total}){left}")

    def stage(self, name: str, total: int) -> None:
        """Write its name, and how many pieces it has where there are several."""
        self._write(f"{name} …" if total == 1 else f"{name}: {total} …")
        self._name = name
        self._pieces.begin(total)
        self._last_shown = self._clock()

    def advance(self) -> None:
        """One piece more is done."""
        self._pieces.finish(self._pieces.done + 1)
        self.remind()

    def remind(self) -> None:
        """Say how far the stage is, if nothing was said of it for ten seconds: no animation off a terminal."""
        now, pieces = self._clock(), self._pieces
        if now - self._last_shown < EVERY_S or pieces.done >= pieces.total:
            return
        self._last_shown = now
        if pieces.left_s is None:
            self._write(f"{self._name}: {pieces.taken_s:.0f} s up to now")
        else:
            speed = rate(pieces.per_s)
            left = duration(pieces.left_s)
            self._write(f"{self._name}: {pieces.done} of {pieces.total}, {speed}, about {left} left")

    def _keep_saying(self) -> None:
        while not self._over.wait(EVERY_S / 10):
            self.remind()
