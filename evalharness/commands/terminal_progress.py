"""How far the work is, on stderr: one live bar on a terminal, plain lines elsewhere. Results go to stdout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from evalharness.progress import Lines, TimeLeft, duration, rate

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, Task
    from rich.text import Text

WIDE = 100
"""Columns from which on a bar has room for its rate."""
LONGEST_NAME = 50
"""Characters of a stage's name beside its bar."""


def show_result(result: RenderableType) -> None:
    """Print a result on stdout, each line whole: whoever makes it knows how wide the terminal is."""
    from rich.console import Console

    Console(highlight=False).print(result, soft_wrap=True)


class TerminalLines(Lines):
    """Lines on stderr, and results on stdout."""

    def show(self, result: RenderableType) -> None:
        """Print a result on stdout."""
        show_result(result)


class Bar:
    """One bar for the stage that is going on, with its name, how far it is, and the time that is left.

    Of several items (steps of a run) the time is that of all that are left, once one was done. A stage of one piece has
    a bar that only moves, and the time that it has taken.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
        from rich.table import Column
        from rich.text import Text

        figures = self.figures

        class Figures(ProgressColumn):
            def render(self, task: Task) -> Text:
                return Text("  ".join(figures()))

        console = Console(stderr=True)
        name = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis"))
        columns = (name, BarColumn(bar_width=None), Figures(table_column=Column(no_wrap=True)))
        # What others print meanwhile comes above the bar, and what goes to a file reaches it.
        on_terminal = sys.stdout.isatty()
        self._progress: Progress = Progress(
            *columns, console=console, transient=True, expand=True, redirect_stdout=on_terminal
        )
        self._task = self._progress.add_task("", total=None, visible=False)
        self._is_wide = console.width >= WIDE
        self._items, self._pieces = TimeLeft(), TimeLeft()
        self._item = ""

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, line: str) -> None:
        """Print above the bar."""
        self._progress.console.print(line, style="dim", highlight=False, markup=False)

    def show(self, result: RenderableType) -> None:
        """Print a result on stdout, above the bar if that is the same terminal."""
        self._progress.stop()  # it takes the bar away
        show_result(result)
        self._progress.start()

    def item(self, name: str, number: int, total: int) -> None:
        """The bar is about this item now."""
        self._items.reach(number, total)
        self._item = f"{name} ({number} of {total})"
        self.stage("", 1)

    def stage(self, name: str, total: int) -> None:
        """Begin the bar anew."""
        self._pieces.begin(total)
        description = ": ".join(filter(None, (self._item, name)))[:LONGEST_NAME]
        self._progress.reset(self._task, total=total if total > 1 else None, visible=True, description=description)

    def advance(self) -> None:
        """Move the bar on by one."""
        pieces = self._pieces
        pieces.finish(pieces.done + 1)
        if pieces.total > 1:
            self._progress.update(self._task, completed=pieces.done, total=pieces.total)

    def figures(self) -> list[str]:
        """What stands behind the bar: the count, on a wide terminal the rate, and the time that is left or taken."""
        pieces, run_left_s, of_run = self._pieces, self._items.left_s, self._items.total > 1
        is_counted = pieces.total > 1
        shown = [f"{pieces.done}/{pieces.total}"] if is_counted else []
        if is_counted and pieces.per_s and self._is_wide:
            shown.append(rate(pieces.per_s))
        if run_left_s is not None and run_left_s >= 1:
            return [*shown, f"run: {duration(run_left_s)} left"]
        if not is_counted or pieces.left_s is None:
            return [*shown, f"{duration(pieces.taken_s)} so far"]
        return [*shown, f"{'stage: ' if of_run else ''}{duration(pieces.left_s)} left"]


def watcher() -> TerminalLines | Bar:
    """A bar where stderr is a terminal, else lines."""
    return Bar() if sys.stderr.isatty() else TerminalLines()
