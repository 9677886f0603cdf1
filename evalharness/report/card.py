"""The card: what a score found, in about a dozen lines of a terminal."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.report.numbers import (
    DECODINGS,
    checkpoint_name,
    degenerate_of_all,
    degeneration_interval,
    kinds_by_count,
    loss_meaning_of,
    loss_relation,
    nats,
    nats_interval,
    not_begun,
    of_all,
    percent_interval,
    short_reason,
    was_diagnosed,
)
from evalharness.report.writers.escaping import one_line, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from rich.console import Console, ConsoleOptions, RenderResult

    from evalharness.records import Scorecard

LABEL_WIDTH = 13
CHAIN = "last_position"
"""The finding that tells a leak's story to its end: why it is this text that is written."""
MIN_WIDTH, MAX_WIDTH = 72, 100
VERDICT_STYLES = {"collapsed": "bold white on red", "degenerating": "bold black on yellow", "healthy": "bold green"}
"""By verdict, as rich's style."""

Line = tuple[tuple[str, str], ...]
"""One line in pieces of ``(rich's style, text)``; the style is empty where there is none."""


@dataclass(frozen=True, slots=True)
class Card:
    """The card of one scorecard: ``str()`` of it is plain text, and rich prints it in colours as wide as it can."""

    scorecard: Scorecard
    report_path: str

    def __str__(self) -> str:
        lines = card_lines(self.scorecard, self.report_path)
        return "\n".join("".join(text for _, text in line).rstrip() for line in lines)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield one text a line, none of which rich has to wrap."""
        from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

        for line in card_lines(self.scorecard, self.report_path, options.max_width):
            yield Text.assemble(*((text, style) for style, text in line))


def render_card(scorecard: Scorecard, report_path: str | PathLike[str]) -> Card:
    """Return the card for rich's ``console.print(card, soft_wrap=True)``, or for ``str(card)``."""
    return Card(scorecard, str(report_path))


def card_lines(scorecard: Scorecard, report_path: str, width: int = 88) -> tuple[Line, ...]:
    """Return the card's lines, wrapped to ``width`` (held between 72 and 100), but never within a path."""
    width = max(MIN_WIDTH, min(MAX_WIDTH, width))
    return (
        *_heading(scorecard, width),
        *_losses(scorecard, width),
        *_passes(scorecard, width),
        *_degeneration(scorecard, width),
        *_diagnosis(scorecard, width),
        *(line for lack in scorecard.incomplete for line in _entry("incomplete", str(lack), width, "yellow")),
        _line("report", one_line(report_path)),
    )


def _heading(scorecard: Scorecard, width: int) -> Iterator[Line]:
    checkpoint = scorecard.checkpoint
    name = one_line(checkpoint_name(checkpoint))
    size = "" if checkpoint.parameters is None else f"  {checkpoint.parameters:,} parameters"
    path = one_line(checkpoint.path)
    yield (("bold", name), ("", size), ("dim", "" if name.startswith(path) else f"  {path}"))
    verdict, reason = scorecard.verdict, short_reason(scorecard.verdict_reason)
    (label, (_, first)), *others = _entry("verdict", f"{verdict.upper()}  {reason}", width)
    yield label, (VERDICT_STYLES[verdict], first[: len(verdict)]), ("", first[len(verdict) :])
    yield from others


def _losses(scorecard: Scorecard, width: int) -> Iterator[Line]:
    loss = scorecard.loss
    parts = [
        "not logged" if loss.logged_nats is None else f"{nats(loss.logged_nats)} logged",
        *([] if loss.recomputed_nats is None else [f"{nats(loss.recomputed_nats.estimate)} recomputed"]),
        *([] if loss.honest_nats is None else [f"{nats_interval(loss.honest_nats)} honest"]),
    ]
    yield from _entry("loss (nats)", ", ".join(parts), width)
    relation = loss_relation(loss)
    style = {"agree": "green", "not_measured": "dim"}.get(relation, "bold red")
    yield from _entry("", loss_meaning_of(scorecard), width, style)


def _passes(scorecard: Scorecard, width: int) -> Iterator[Line]:
    for info in scorecard.protocol.problems:
        label = info.name
        for decoding in DECODINGS:
            by_k = scorecard.pass_at_k.get(info.name, {}).get(decoding, {})
            if not by_k:
                continue
            figures = [f"pass@{k} {percent_interval(by_k[k])}" for k in sorted(by_k, key=int)]
            outcomes = scorecard.outcomes.get(info.name, {}).get(decoding, {})
            text = f"{decoding:<8}{'  '.join(figures)}  {of_all(outcomes)}{not_begun(outcomes)}"
            yield from _entry(label, text, width)
            label = ""


def _degeneration(scorecard: Scorecard, width: int) -> Iterator[Line]:
    label = "degenerate"
    for decoding in DECODINGS:
        rate = scorecard.degeneration.get(decoding)
        if rate is None:
            continue
        kinds = kinds_by_count(rate)
        share = percent_interval(degeneration_interval(rate))
        yield from _entry(
            label, f"{decoding:<8}{share}  {degenerate_of_all(rate)}{': ' if kinds else ''}{kinds}", width
        )
        label = ""


def _diagnosis(scorecard: Scorecard, width: int) -> Iterator[Line]:
    findings = scorecard.findings
    if not was_diagnosed(scorecard):
        reasons = "; ".join(dict.fromkeys(item.reason for item in scorecard.not_testable))
        yield from _entry("cause", f"not looked for{f': {reasons}' if reasons else ''}", width)
        return
    if not findings or findings[0].severity != "cause":
        cleared = ", ".join(dict.fromkeys(cleared.probe for cleared in scorecard.ruled_out))
        untested = ", ".join(dict.fromkeys(untested.probe for untested in scorecard.not_testable))
        parts = ["none found", *([f"ruled out: {cleared}"] if cleared else [])]
        yield from _entry("cause", "; ".join([*parts, *([f"not testable: {untested}"] if untested else [])]), width)
    if findings:
        first, *others = findings
        yield from _entry(first.severity, first.claim, width, "bold" if first.severity == "cause" else "")
        if others and others[0].probe == CHAIN:
            yield from _entry("therefore", others[0].claim, width)
            others = others[1:]
        if others:
            named = ", ".join(f"{other.probe} ({other.severity})" for other in others)
            yield from _entry("", f"and in the report: {named}", width, "dim")


def _entry(label: str, text: str, width: int, style: str = "") -> Iterator[Line]:
    """A label and its text, which goes on in the same column where it is wrapped."""
    # The double spaces between figures are columns: textwrap keeps them, and one_line leaves no other whitespace.
    room = max(20, width - LABEL_WIDTH)
    for i, part in enumerate(textwrap.wrap(one_line(text.replace("\n", " ")), room, break_on_hyphens=False) or [""]):
        yield _line(label if i == 0 else "", part, style)


def _line(label: str, text: str, style: str = "") -> Line:
    return (("dim", shortened(one_line(label), LABEL_WIDTH - 1).ljust(LABEL_WIDTH)), (style, text))
