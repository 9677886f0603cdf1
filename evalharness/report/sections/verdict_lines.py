"""The first lines of a report: the verdict, what the model does, whether its loss is real, the cause, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.records import DECODINGS
from evalharness.report.cause_summary import no_cause
from evalharness.report.certainty import certainty
from evalharness.report.loss_verdict import loss_conclusion, loss_figures
from evalharness.report.nearest_measure import nearest_measure
from evalharness.report.numbers import percent_interval
from evalharness.report.parts import BulletList, Paragraph, Strong, marked
from evalharness.report.shares import (
    caveat,
    degeneration_interval,
    judged_on,
    kinds_by_count,
    pass_rates,
    verdict_words,
)
from evalharness.report.terms import DEGENERATE, HONEST
from evalharness.report.where import where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.records import Finding, Scorecard
    from evalharness.report.parts import Text

BRACKETS = Paragraph(
    "Brackets [low, high] are 95 % confidence intervals: of shares by problems, of losses by rows. "
    f"{HONEST} {DEGENERATE}"
)
"""What every number with an interval and the two terms of a report mean, said once at its top."""


def verdict_lines(card: Scorecard) -> BulletList:
    """Return the lines."""
    return BulletList(
        (
            verdict_text(card, verdict_words(card.verdict).upper(), on_sets(card), end="."),
            (Strong("Behaviour"), f": {'; '.join(_behaviour(card)) or 'nothing was scored'}."),
            (Strong("Loss"), f": {_losses(card)} {loss_conclusion(card)}"),
            *_explained(card),
        )
    )


def _explained(card: Scorecard) -> Iterator[Text]:
    """The first finding with its place and what it asks for. A note explains nothing: no cause was found then.

    What contributes stands before that no cause was found: it is what a reader can do something about.
    """
    first = next(iter(card.findings), None)
    if first is None or first.severity == "note":
        note = "" if first is None else f" Note: {first.claim}"
        yield (Strong("Cause"), ": ", *marked(_none_found(card, note)))
        return
    yield (Strong(first.severity.capitalize()), ": ", *marked(first.claim))
    yield from where_and_how_sure(first)
    if first.remedy:
        yield (Strong("What to do"), ": ", *marked(first.remedy))
    if first.severity == "contributing":
        yield (Strong("Cause of a misleading loss"), ": ", *marked(_none_found(card)))


def where_and_how_sure(finding: Finding) -> Iterator[Text]:
    """Yield where a cause lies, if that is known, and how sure it is."""
    if place := where(finding):
        yield (Strong("Where"), ": ", *place)
    yield (Strong("How sure"), f": {certainty(finding)}")


def on_sets(card: Scorecard) -> str:
    """Return ``" on humaneval and warmup"``: whose completions the verdict is on."""
    sets = judged_on(card)
    return f" on {sets}" if sets else ""


def verdict_text(card: Scorecard, name: str, where: str = "", end: str = "") -> Text:
    """Return the verdict, its caveat if the completions are too few, and its reason."""
    reason = card.verdict_reason.strip()
    return (Strong(f"{name}{caveat(card)}"), f"{where}{f': {reason}' if reason else ''}{end}")


def _behaviour(card: Scorecard) -> Iterator[str]:
    for decoding in reversed(DECODINGS):
        rate = card.degeneration.get(decoding)
        if rate is not None:
            kinds = kinds_by_count(rate)
            share = percent_interval(degeneration_interval(rate))
            yield f"{share} of {decoding} completions are degenerate{f' ({kinds})' if kinds else ''}"
    for rate_of_set in pass_rates(card):
        if (rate_of_set.decoding, rate_of_set.k) == ("greedy", "1"):
            yield f"{rate_of_set.problems} greedy pass@1 {percent_interval(rate_of_set.share)}"


def _losses(card: Scorecard) -> str:
    figures = loss_figures(card.loss)
    return f"{', '.join(figures)}, in nats per token." if figures else "none known."


def _none_found(card: Scorecard, note: str = "") -> str:
    nearest = nearest_measure(card)
    next_step = "" if nearest is None else f" Nearest: {nearest.measured}. {nearest.next_step}"
    return f"{no_cause(card)}{note}{next_step}"
