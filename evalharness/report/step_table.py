"""The checkpoints of a run as rows of a table in a terminal: each in one line, written when it ends."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from evalharness.report.card import VERDICT_STYLES
from evalharness.report.cause_summary import cause_cell
from evalharness.report.numbers import nats, percent
from evalharness.report.parts import plain_text
from evalharness.report.printable import one_line
from evalharness.report.shares import best_pass_at_1, verdict_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.records import DegenerationRate, Scorecard
    from evalharness.report.card import Line

STEP, VERDICT, FIGURE = 6, 12, 8
"""Columns of a cell, for figures with the blank before them. With the longest cause a row has 80."""
FIGURES = ("logged", "honest", "pass@1", "greedy", "sampled")
INDENT = " " * (STEP + 2)


def step_heading() -> tuple[Line, Line]:
    """Return the two lines above the rows: what the figures are of, and their names."""
    above = f"{'loss in nats':>{STEP + 2 + VERDICT + 2 * FIGURE}}{'highest':>{FIGURE}}{'degenerate':>{2 * FIGURE}}"
    names = "".join(name.rjust(FIGURE) for name in FIGURES)
    return (("dim", above),), (("dim", f"{'step':>{STEP}}  {'verdict':<{VERDICT}}{names}  cause"),)


def step_row(step: int, card: Scorecard, width: int | None = None) -> Iterator[Line]:
    """Yield the line of a checkpoint: verdict, losses, the best pass@1, what is degenerate, and the cause.

    Where it is longer than ``width``, the cause is on a line of its own.
    """
    loss, best = card.loss, best_pass_at_1(card)
    cells = (
        "–" if loss.logged_nats is None else nats(loss.logged_nats),
        "–" if loss.honest_nats is None else nats(loss.honest_nats.estimate),
        "–" if best is None else percent(best.estimate),
        *(_rate(card.degeneration.get(decoding)) for decoding in ("greedy", "sampled")),
    )
    figures = "".join(cell.rjust(FIGURE) for cell in cells)
    cause = plain_text(cause_cell(card))
    verdict = verdict_words(card.verdict)
    start = (("", _step(step)), (VERDICT_STYLES[card.verdict], verdict), ("", " " * (VERDICT - len(verdict)) + figures))
    is_too_long = width is not None and sum(len(text) for _, text in start) + 2 + len(cause) > width
    style = "bold" if card.cause else "dim"
    yield start if is_too_long else (*start, (style, f"  {cause}"))
    if is_too_long:
        yield ((style, f"{INDENT}{cause}"),)


def failed_row(step: int, reason: str, width: int | None = None) -> Iterator[Line]:
    """Yield the lines of a checkpoint that could not be scored, and why; one line without a ``width``."""
    text = f"{_step(step)}FAILED: {one_line(reason)}"
    wrapped = [text] if width is None else textwrap.wrap(
        text, max(width, 2 * len(INDENT)), subsequent_indent=INDENT, break_on_hyphens=False, break_long_words=False
    )  # fmt: skip
    return ((("bold red", line),) for line in wrapped)


def _step(step: int) -> str:
    return f"{step:>{STEP},}  "


def _rate(rate: DegenerationRate | None) -> str:
    return "–" if rate is None else percent(rate.rate)
