"""How far the work is, on stderr: bars on a terminal, plain lines elsewhere, nothing with ``--quiet``."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, Task, TaskID
    from rich.text import Text


EVERY_S = 10.0
"""How often a long stage shows its progress, in seconds."""


class Lines:
    """One line for each message and each stage, and every ten seconds how far a long stage is.

    Within the context a thread of its own says so while nothing else does, for one piece of a stage may take minutes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._name, self._total, self._done = "", 0, 0
        self._begun = self._last_shown = clock()
        self._over = threading.Event()

    def __enter__(self) -> Lines:
        threading.Thread(target=self._keep_saying, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def say(self, line: str) -> None:
        """Print it."""
        click.echo(line, err=True)

    def stage(self, name: str, total: int) -> None:
        """Print its name, and how many pieces it has where there are several."""
        click.echo(f"{name} …" if total == 1 else f"{name}: {total} …", err=True)
        self._name, self._total, self._done = name, total, 0
        self._begun = self._last_shown = self._clock()

    def advance(self) -> None:
        """One piece more is done."""
        self._done += 1
        self.remind()

    def remind(self) -> None:
        """Say how far the stage is, if nothing was said of it for ten seconds: no animation off a terminal."""
        now = self._clock()
        if now - self._last_shown < EVERY_S or self._done >= self._total:
            return
        self._last_shown = now
        taken_s = now - self._begun
        if self._done:
            per_s = self._done / taken_s
            left_s = (self._total - self._done) / per_s
            click.echo(
                f"{self._name}: {self._done} of {self._total}, {rate(per_s)}, about {left_s:.0f} s left", err=True
            )
        else:
            click.echo(f"{self._name}: {taken_s:.0f} s up to now", err=True)

    def _keep_saying(self) -> None:
        while not self._over.wait(EVERY_S / 10):
            self.remind()


class Bars:
    """A bar for each stage, with its rate, the time that it has taken and that is left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.text import Text

        class RateColumn(ProgressColumn):
            def render(self, task: Task) -> Text:
                return Text(rate(task.speed) if task.speed else "")

        shown = (BarColumn(), MofNCompleteColumn(), RateColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        columns = (TextColumn("{task.description}"), *shown)
        self._progress: Progress = Progress(*columns, console=Console(stderr=True))
        self._stage: TaskID | None = None

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, line: str) -> None:
        """Print above the bars."""
        self._progress.console.print(line, style="dim", highlight=False, markup=False)

    def stage(self, name: str, total: int) -> None:
        """Begin a bar."""
        self._stage = self._progress.add_task(name, total=total)

    def advance(self) -> None:
        """Move the bar on by one."""
        if self._stage is not None:
            self._progress.advance(self._stage)


def rate(per_s: float) -> str:
    """How many pieces are done in a second, or in a minute if they are slow."""
    return f"{per_s:.0f} per s" if per_s >= 2 else f"{60 * per_s:.0f} per min"


def watcher() -> Lines | Bars:
    """Bars where stderr is a terminal, else lines."""
    return Bars() if sys.stderr.isatty() else Lines()
