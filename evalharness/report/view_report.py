"""Scored checkpoints side by side: what is said of each above their completions, and where these are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.cause_summary import cause_cell
from evalharness.report.numbers import nats, nats_interval, percent_interval
from evalharness.report.parts import Code, Heading, Link, Paragraph, Table, joined
from evalharness.report.sections.verdict_lines import BRACKETS, verdict_lines
from evalharness.report.shares import best_pass_at_1_cell, degeneration_interval, verdict_cell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.records import Interval, Scorecard
    from evalharness.report.parts import Part, Text

_HEADER = ("Checkpoint", "Verdict", "Logged loss", "Honest loss", "Best pass@1", "Degenerate, sampled", "Cause")


def view_document(title: str, cards: Mapping[str, Scorecard]) -> tuple[Part, ...]:
    """Return a table with a row for each checkpoint, by what each is called; of a single one its verdict, too."""
    rows = tuple(_row(name, card) for name, card in cards.items())
    verdicts = map(verdict_lines, cards.values() if len(cards) == 1 else ())
    return (Heading(title, 1), *verdicts, BRACKETS, Table(_HEADER, rows, frozenset({2, 3, 4, 5})))


def pages_of_steps(pages: Mapping[str, str]) -> tuple[Part, ...]:
    """Return the section of a run's page that leads to the completions of its steps; nothing if no step has a page.

    ``pages`` has the page of each step relative to the run's, by what the step is called.
    """
    if not pages:
        return ()
    links = joined([Link(name, page) for name, page in pages.items()], ", ")
    side_by_side = (
        ". ",
        Code("evalharness view"),
        " with this run's folder shows each prompt with what every step wrote.",
    )
    return (Heading("All completions"), Paragraph(("On the pages of the steps: ", *links, *side_by_side)))


def _row(name: str, card: Scorecard) -> tuple[Text, ...]:
    rate = card.degeneration.get("sampled")
    return (
        name,
        verdict_cell(card),
        "–" if card.loss.logged_nats is None else nats(card.loss.logged_nats),
        "–" if card.loss.honest_nats is None else nats_interval(card.loss.honest_nats),
        best_pass_at_1_cell(card),
        _share(None if rate is None else degeneration_interval(rate)),
        cause_cell(card),
    )


def _share(share: Interval | None) -> str:
    return "–" if share is None else percent_interval(share)
