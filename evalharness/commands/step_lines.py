"""The rows of ``run`` and ``watch``, each shown when its step ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.commands.terminal_progress import Bar, TerminalLines
    from evalharness.pipeline import RunResult, StepEnd
    from evalharness.report.card import Line


class StepLines:
    """Shows a row for each step, with the names of the columns above the first."""

    def __init__(self, watching: TerminalLines | Bar) -> None:
        self._watching = watching
        self._has_heading = False

    def show(self, end: StepEnd) -> None:
        """Show the row of a step that was scored, or kept, or failed."""
        from evalharness.pipeline import StepFailure
        from evalharness.report import failed_row, step_heading, step_row

        if not self._has_heading:
            self._print(step_heading())
            self._has_heading = True
        if isinstance(end.outcome, StepFailure):
            self._print(failed_row(end.step, end.outcome.reason, _width()))
        else:
            self._print(step_row(end.step, end.outcome, _width()))

    def _print(self, lines: Iterable[Line]) -> None:
        from rich.text import Text

        for line in lines:
            self._watching.show(Text.assemble(*((text, style) for style, text in line)))


def kept_line(result: RunResult) -> str | None:
    """Say which steps were not scored again; None if all were."""
    if not result.kept:
        return None
    return f"kept     {', '.join(map(str, sorted(result.kept)))}: nothing has changed since they were scored"


def log_line(result: RunResult) -> str | None:
    """Say how to name a training log, if no step of a run has one."""
    from evalharness.report.log_words import log_of_card

    cards = list(result.scorecards.values())
    text = None if not cards or any(card.loss.log for card in cards) else log_of_card(cards[-1])
    return None if text is None else f"log      {text}"


def _width() -> int | None:
    """Columns of the terminal; None where the rows go to a file, which takes each in one line."""
    from rich.console import Console

    return Console().width if sys.stdout.isatty() else None
