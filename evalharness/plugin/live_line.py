"""One live line below pytest's own on a terminal while a checkpoint is scored, and nothing of it left afterwards."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from evalharness.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from evalharness.progress import Watcher

    Uncaptured = Callable[[], contextlib.AbstractContextManager[None]]

REDRAWN_EVERY_S = 0.2
"""Quick enough to be seen to move; pytest's capture is stopped for a moment each time."""


class LiveLine:
    """A watcher that writes under the line on which pytest is, and puts the cursor back where it was.

    ``uncaptured`` is a context in which ``sys.stdout`` is the terminal; ``column`` and ``width`` are pytest's in cells.
    """

    def __init__(
        self,
        checkpoint: str,
        uncaptured: Uncaptured,
        column: int,
        width: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checkpoint, self._uncaptured, self._now = checkpoint, uncaptured, now
        self._column, self._width = column % width, width
        self._drawn_at_s: float | None = None
        self._stage, self._total, self._done = "", 0, 0

    def say(self, line: str) -> None:  # noqa: ARG002 - what is said of a checkpoint is in its report
        """Show that it has begun."""
        self._draw(at_once=False)

    def item(self, name: str, number: int, total: int) -> None:  # noqa: ARG002 - a checkpoint is scored alone
        """Show that it has begun."""
        self._draw(at_once=False)

    def stage(self, name: str, total: int) -> None:
        """Show its name at once, and how many pieces it has where there are several."""
        self._stage, self._total, self._done = name, total, 0
        self._draw(at_once=True)

    def advance(self) -> None:
        """Count one piece, and show the count from time to time."""
        self._done += 1
        self._draw(at_once=False)

    def erase(self) -> None:
        """Take the line away, and go back up."""
        if self._drawn_at_s is not None:
            right = f"\x1b[{self._column}C" if self._column else ""
            self._write(f"\r\x1b[K\x1b[A{right}")
            self._drawn_at_s = None

    def _draw(self, *, at_once: bool) -> None:
        now = self._now()
        begun = self._drawn_at_s is not None
        if self._drawn_at_s is not None and not at_once and now - self._drawn_at_s < REDRAWN_EVERY_S:
            return
        count = f" {self._done} of {self._total}" if self._total > 1 else ""
        stage = f" ({self._stage}{count})" if self._stage else ""
        # One cell stays free: a full line would make the terminal begin another.
        line = f"evalharness: scoring {self._checkpoint}{stage} …"[: self._width - 1]
        self._write(("\r\x1b[K" if begun else "\n") + line)
        self._drawn_at_s = now

    def _write(self, text: str) -> None:
        with self._uncaptured():
            sys.stdout.write(text)
            sys.stdout.flush()


@contextlib.contextmanager
def live_line(config: pytest.Config, checkpoint: str) -> Iterator[Watcher]:
    """A watcher that shows how far the score of ``checkpoint`` is, or one that ignores everything.

    It ignores everything if stdout is no terminal, in a worker of pytest-xdist (which has none), and with ``-s``: there
    the output of tests would run into the line.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or capture is None or config.getoption("capture") == "no" or os.environ.get("TERM") == "dumb":
        yield Silent()
        return
    with capture.global_and_fixture_disabled():
        on_a_terminal = sys.stdout.isatty()
    if not on_a_terminal:
        yield Silent()
        return
    writer = config.get_terminal_writer()
    line = LiveLine(checkpoint, capture.global_and_fixture_disabled, writer.width_of_current_line, writer.fullwidth)
    try:
        yield line
    finally:
        line.erase()
