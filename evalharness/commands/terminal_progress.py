"""How far the work is, on stderr: bars on a terminal, plain lines elsewhere, nothing with ``--quiet``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Lines:
    """One line for each thing found and each stage begun."""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, line: str) -> None:
        """Print it."""
        click.echo(line, err=True)

    def stage(self, name: str, total: int) -> None:
        """Print its name, and how many pieces it has where there are several."""
        click.echo(f"{name} …" if total == 1 else f"{name}: {total} …", err=True)

    def advance(self) -> None:
        """No animation off a terminal."""


class Bars:
    """A bar for each stage, with the time that is left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
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


def watcher() -> Lines | Bars:
    """Bars where stderr is a terminal, else lines."""
    return Bars() if sys.stderr.isatty() else Lines()
