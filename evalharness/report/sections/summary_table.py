"""The table of what was scored and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.records import DECODINGS
from evalharness.report.card import checkpoint_kind
from evalharness.report.numbers import nats, nats_interval, number, percent_interval
from evalharness.report.parts import BulletList, Code, Heading, Table, marked
from evalharness.report.sections.verdict_lines import verdict_text
from evalharness.report.shares import degeneration_interval, pass_rates, verdict_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.records import Scorecard
    from evalharness.report.parts import Part, Text


def summary_section(card: Scorecard) -> Iterator[Part]:
    """Yield the table, and what has to be known of the checkpoint."""
    yield Heading("Summary")
    yield Table(("", "Measured"), tuple(_rows(card)))
    if card.checkpoint.notes:
        yield BulletList(tuple(map(marked, card.checkpoint.notes)))


def _rows(card: Scorecard) -> Iterator[tuple[Text, ...]]:
    checkpoint, loss = card.checkpoint, card.loss
    yield "Checkpoint", Code(checkpoint.path)
    yield "Step", number(checkpoint.step)
    yield "Parameters", number(checkpoint.parameters)
    yield "Kind", checkpoint_kind(checkpoint)
    yield "Logged loss", "not recorded" if loss.logged_nats is None else f"{nats(loss.logged_nats)} nats per token"
    honest = "not measured" if loss.honest_nats is None else f"{nats_interval(loss.honest_nats)} nats per token"
    yield "Honest loss (no future tokens)", honest
    for rate in pass_rates(card):
        yield f"{rate.problems}, {rate.decoding}, pass@{rate.k}", percent_interval(rate.share)
    for decoding in DECODINGS:
        degenerate = card.degeneration.get(decoding)
        if degenerate is not None:
            share = percent_interval(degeneration_interval(degenerate))
            yield f"Degenerate {decoding} completions", share
    yield "Verdict", verdict_text(card, verdict_words(card.verdict))
