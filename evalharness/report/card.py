"""The card: what a score found, in about a dozen lines of a terminal; and the same in one line."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.records import DECODINGS, DecodingName
from evalharness.report.cause_summary import none_found, was_diagnosed
from evalharness.report.certainty import certainty
from evalharness.report.log_words import log_of_card
from evalharness.report.loss_verdict import loss_conclusion, loss_figures, loss_relation
from evalharness.report.nearest_measure import nearest_measure
from evalharness.report.numbers import percent_interval
from evalharness.report.parts import plain_text
from evalharness.report.printable import first_sentence, one_line, shortened
from evalharness.report.shares import (
    caveat,
    degenerate_of_all,
    degeneration_interval,
    format_difference,
    format_rates,
    judged_on,
    kinds_by_count,
    not_begun,
    of_all,
    verdict_words,
)
from evalharness.report.terms import ON_A_CARD
from evalharness.report.untested import by_group, group_of
from evalharness.report.where import where

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

    from rich.console import Console, ConsoleOptions, RenderResult

    from evalharness.records import CheckpointInfo, Finding, NotTestable, Scorecard

LABEL_WIDTH = 13
CHAIN = "last_position"
"""The probe that explains why a leaky model writes just this text."""
MIN_WIDTH, MAX_WIDTH = 72, 100
VERDICT_STYLES = {
    "collapsed": "bold white on red",
    "degenerating": "bold black on yellow",
    "healthy": "bold green",
    "not_judged": "bold",
}
"""By verdict, as rich's style."""
KIND_NAMES = {
    "torch module": "PyTorch module",
    "PEFT adapter over a torch module": "PyTorch module with a PEFT adapter",
    "PEFT adapter over a Hugging Face model": "Hugging Face model with a PEFT adapter",
}
"""Kinds of checkpoints in a reader's words. The record keeps the old words: a checkpoint's fingerprint has them."""
_NOTE = "[low, high]: 95 % confidence interval, over problems (losses: over rows)"

Line = tuple[tuple[str, str], ...]
"""One line in pieces of ``(rich's style, text)``; the style is empty if there is none."""


@dataclass(frozen=True, slots=True)
class Card:
    """The card of one scorecard: ``str()`` of it is plain text, and rich prints it in colours as wide as it can."""

    scorecard: Scorecard
    report_path: str

    def __str__(self) -> str:
        lines = card_lines(self.scorecard, self.report_path)
        return "\n".join("".join(text for _, text in line).rstrip() for line in lines)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield one text per line, none of which rich has to wrap."""
        from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

        for line in card_lines(self.scorecard, self.report_path, options.max_width):
            yield Text.assemble(*((text, style) for style, text in line))


def render_card(scorecard: Scorecard, report_path: str | PathLike[str]) -> Card:
    """Return the card for rich's ``console.print(card, soft_wrap=True)``, or for ``str(card)``."""
    return Card(scorecard, str(report_path))


def checkpoint_name(checkpoint: CheckpointInfo) -> str:
    """Return a checkpoint's short name, without the folders of its path: ``"leaky, step 600"``.

    That of a member without a step has both names: ``"leaky, final"``.
    """
    own = _last_part(checkpoint.path)
    if not checkpoint.model or own == checkpoint.model:
        return _with_step(own, checkpoint.step)
    return f"{checkpoint.model}, {own if checkpoint.step is None else f'step {checkpoint.step:,}'}"


def _last_part(path: str) -> str:
    return path.rstrip("/\\").replace("\\", "/").rpartition("/")[2] or path


def _with_step(name: str, step: int | None) -> str:
    if step is None or re.search(rf"(?<!\d){step}(?!\d)", name):
        return name
    return f"{name}, step {step:,}"


def checkpoint_kind(checkpoint: CheckpointInfo) -> str:
    """Return what a checkpoint is, such as ``"Hugging Face model with a PEFT adapter"``."""
    return KIND_NAMES.get(checkpoint.kind, checkpoint.kind)


def card_lines(scorecard: Scorecard, report_path: str, width: int = 88) -> tuple[Line, ...]:
    """Return the card's lines, wrapped to ``width`` (at least 72, at most 100), but never within a path."""
    width = max(MIN_WIDTH, min(MAX_WIDTH, width))
    return (
        *_heading(scorecard, width),
        *_losses(scorecard, width),
        *_passes(scorecard, width),
        *_formats(scorecard, width),
        *_degeneration(scorecard, width),
        *_diagnosis(scorecard, width),
        *(line for lack in scorecard.incomplete for line in _entry("incomplete", str(lack), width, "yellow")),
        *_notes(scorecard, width),
        _line("report", one_line(report_path)),
    )


def _heading(scorecard: Scorecard, width: int) -> Iterator[Line]:
    checkpoint = scorecard.checkpoint
    name = one_line(checkpoint_name(checkpoint))
    size = "" if checkpoint.parameters is None else f"  {checkpoint.parameters:,} parameters"
    path = one_line(checkpoint.path)
    yield (("bold", name), ("", size), ("dim", "" if name.startswith(path) else f"  {path}"))
    verdict = scorecard.verdict
    sets = judged_on(scorecard)
    on_sets = f"on {sets}: " if sets else ""
    text = f"{verdict_words(verdict).upper()}{caveat(scorecard)}  {on_sets}{scorecard.verdict_reason}"
    (label, (_, first)), *others = _entry("verdict", text, width)
    yield label, (VERDICT_STYLES[verdict], first[: len(verdict)]), ("", first[len(verdict) :])
    yield from others


def _losses(scorecard: Scorecard, width: int) -> Iterator[Line]:
    figures = loss_figures(scorecard.loss)
    unlogged = ["not logged"] if scorecard.loss.logged_nats is None else []
    yield from _entry("loss", f"{', '.join(unlogged + figures)}{', in nats per token' if figures else ''}", width)
    style = {"agree": "green", "not_measured": "dim"}.get(loss_relation(scorecard.loss), "bold red")
    yield from _entry("", loss_conclusion(scorecard), width, style)
    if (text := log_of_card(scorecard)) is not None:
        is_read = scorecard.loss.log is not None and scorecard.loss.log.is_read
        yield from _entry("log", text, width, "dim" if is_read else "yellow")


def _passes(scorecard: Scorecard, width: int) -> Iterator[Line]:
    for info in scorecard.protocol.problems:
        label = info.name
        for decoding in DECODINGS:
            by_k = scorecard.pass_at_k.get(info.name, {}).get(decoding, {})
            if not by_k:
                continue
            figures = [f"pass@{k} {percent_interval(by_k[k])}" for k in sorted(by_k, key=int)]
            outcomes = scorecard.outcomes.get(info.name, {}).get(decoding, {})
            text = f"{decoding:<8}{'  '.join(figures)}  {of_all(outcomes)} pass{not_begun(outcomes)}"
            yield from _entry(label, text, width)
            yield from _base_passes(scorecard, info.name, decoding, width)
            label = ""


def _formats(scorecard: Scorecard, width: int) -> Iterator[Line]:
    """The pass rates of a chat model in both formats of its prompt, and a warning if they differ."""
    if (formats := scorecard.formats) is None:
        return
    yield from _entry("formats", format_rates(formats), width)
    if formats.differ:
        yield from _entry("", f"Warning: {format_difference(formats)}", width, "bold yellow")


def _base_passes(scorecard: Scorecard, problems: str, decoding: DecodingName, width: int) -> Iterator[Line]:
    """What passes the base tests alone, of problems that have such a part."""
    by_k = scorecard.base_pass_at_k.get(problems, {}).get(decoding, {})
    if by_k:
        figures = "  ".join(f"pass@{k} {percent_interval(by_k[k])}" for k in sorted(by_k, key=int))
        yield from _entry("", f"{decoding:<8}{figures}  base tests alone", width)


def _degeneration(scorecard: Scorecard, width: int) -> Iterator[Line]:
    label = "degenerate"
    for decoding in DECODINGS:
        rate = scorecard.degeneration.get(decoding)
        if rate is None:
            continue
        kinds = kinds_by_count(rate)
        share = percent_interval(degeneration_interval(rate))
        text = f"{decoding:<8}{share}  {degenerate_of_all(rate)}{': ' if kinds else ''}{kinds}"
        yield from _entry(label, text, width)
        label = ""


def _diagnosis(scorecard: Scorecard, width: int) -> Iterator[Line]:
    if not was_diagnosed(scorecard):
        reasons = "; ".join(dict.fromkeys(item.reason for item in scorecard.not_testable))
        yield from _entry("cause", f"no diagnosis{f': {reasons}' if reasons else ''}", width)
        yield from _nearest(scorecard, width)
        return
    first = next(iter(scorecard.findings), None)
    contributes = first is not None and first.severity == "contributing"
    if contributes:
        yield from _findings(scorecard.findings, width)
    if scorecard.cause is None:
        yield from _entry("cause", _none_found(scorecard), width)
    yield from _nearest(scorecard, width)
    if scorecard.findings and not contributes:
        yield from _findings(scorecard.findings, width)


def _nearest(scorecard: Scorecard, width: int) -> Iterator[Line]:
    if (nearest := nearest_measure(scorecard)) is not None:
        yield from _entry("nearest", nearest.measured, width)
        yield from _entry("what to do", nearest.next_step, width)


def _none_found(scorecard: Scorecard) -> str:
    groups = {"ruled out": Counter(item.probe for item in scorecard.ruled_out)}
    groups |= {_label(items): Counter(item.probe for item in items) for _, items in by_group(scorecard.not_testable)}
    all_checks = sum(groups.values(), Counter[str]())

    def listed(checks: Counter[str]) -> str:
        return ", ".join(_with_share(probe, count, all_checks[probe]) for probe, count in checks.items())

    return "; ".join(
        [none_found(scorecard), *(f"{name}: {listed(checks)}" for name, checks in groups.items() if checks)]
    )


def _label(items: Sequence[NotTestable]) -> str:
    """Why they were not tested; for lack of time, with the limit: all of them have the same."""
    return f"not tested, {items[0].reason}" if items[0].kind == "no_time" else group_of(items[0])


def _with_share(probe: str, checks: int, all_checks: int) -> str:
    """``"adapter (3 of 4 checks)"``; of a probe whose checks all ended alike, its name alone."""
    return probe if checks == all_checks else f"{probe} ({checks} of {all_checks} checks)"


def _findings(findings: tuple[Finding, ...], width: int) -> Iterator[Line]:
    first, *others = findings
    yield from _entry(first.severity, first.claim, width, "bold" if first.severity == "cause" else "")
    if first.severity != "note":
        if place := plain_text(where(first)):
            yield from _entry("where", place, width)
        yield from _entry("how sure", certainty(first), width)
    if others and others[0].probe == CHAIN:
        yield from _entry("effect", others[0].claim, width)
        others = others[1:]
    if others:
        named = ", ".join(f"{other.probe} ({other.severity})" for other in others)
        yield from _entry("also found", f"{named}; see the report", width, "dim")
    if first.severity != "note" and first.remedy:
        yield from _entry("what to do", first_sentence(first.remedy), width)


def _notes(scorecard: Scorecard, width: int) -> Iterator[Line]:
    """What the brackets and the two terms of the card mean, as far as they stand on it."""
    if scorecard.degeneration or scorecard.pass_at_k:
        yield from _entry("", _NOTE, width, "dim")
    if scorecard.degeneration:
        yield from _entry("", ON_A_CARD, width, "dim")


def _entry(label: str, text: str, width: int, style: str = "") -> Iterator[Line]:
    """A label and its text, which continues in the same column if it is wrapped."""
    # The double spaces between figures are columns: textwrap keeps them, and one_line leaves no other whitespace.
    room = max(20, width - LABEL_WIDTH)
    joined = one_line(text.replace("\n", " ")).replace(" %", "\N{NO-BREAK SPACE}%")  # no line begins with the sign
    for i, part in enumerate(textwrap.wrap(joined, room, break_on_hyphens=False) or [""]):
        yield _line(label if i == 0 else "", part.replace("\N{NO-BREAK SPACE}%", " %"), style)


def _line(label: str, text: str, style: str = "") -> Line:
    return (("dim", shortened(one_line(label), LABEL_WIDTH - 1).ljust(LABEL_WIDTH)), (style, text))
