"""Scored checkpoints side by side: what is said of each above their completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.cause_summary import cause_cell
from evalharness.report.numbers import nats, nats_interval, percent_interval
from evalharness.report.parts import Heading, Table
from evalharness.report.sections.verdict_lines import BRACKETS
from evalharness.report.shares import best_pass_at_1, degeneration_interval, verdict_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.records import Interval, Scorecard
    from evalharness.report.parts import Part, Text

_HEADER = ("Checkpoint", "Verdict", "Logged loss", "Honest loss", "Best pass@1", "Degenerate, sampled", "Cause")


def view_document(title: str, cards: Mapping[str, Scorecard]) -> tuple[Part, ...]:
    """Return a table with a row for each checkpoint, by what each is called."""
    rows = tuple(_row(name, card) for name, card in cards.items())
    return (Heading(title, 1), BRACKETS, Table(_HEADER, rows, frozenset({2, 3, 4, 5})))


def _row(name: str, card: Scorecard) -> tuple[Text, ...]:
    rate = card.degeneration.get("sampled")
    return (
        name,
        verdict_words(card.verdict),
        "–" if card.loss.logged_nats is None else nats(card.loss.logged_nats),
        "–" if card.loss.honest_nats is None else nats_interval(card.loss.honest_nats),
        _share(best_pass_at_1(card)),
        _share(None if rate is None else degeneration_interval(rate)),
        cause_cell(card),
    )


def _share(share: Interval | None) -> str:
    return "–" if share is None else percent_interval(share)
