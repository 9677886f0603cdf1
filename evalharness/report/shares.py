"""The shares of a scorecard (pass@k, degenerate completions) in the order and the words of every report."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from evalharness.degeneration import greedy_share_against, is_too_early_to_tell
from evalharness.records import DECODINGS, Interval
from evalharness.report.numbers import percent_interval
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.records import DegenerationRate, FormatComparison, KindRate, Scorecard

KINDS = {
    "newline": "line breaks, repeated",
    "whitespace": "whitespace, repeated",
    "token": "one word or sign, repeated",
    "phrase": "a part of a line, repeated",
    "line": "a line, repeated",
    "block": "several lines, repeated",
    "near": "a line, repeated with a changing number or name, or growing",
    "empty": "nothing, or whitespace too short to be a loop",
    "echo": "the prompt again, without an answer",
    "same_answer": "the same answer to many problems",
    "gibberish": "neither a program nor words",
}
"""Every kind of degeneration and what it is, in the order in which reports list them."""
KIND_LABELS = {
    "newline": "newline loops",
    "whitespace": "whitespace loops",
    "token": "repeated token",
    "phrase": "repeated phrase",
    "line": "repeated line",
    "block": "repeated block",
    "near": "near-repeated line",
    "echo": "echoed prompt",
    "same_answer": "same answer",
}
"""Kinds whose own name does not say what they are, in two words."""


FORMATS = {"chat": "in the chat template", "plain": "plainly"}
FORMAT_OPTIONS = {"chat": "--chat always", "plain": "--chat never"}


class PassRate(NamedTuple):
    """pass@k of one problem set under one decoding."""

    problems: str
    decoding: str
    k: str
    share: Interval


def pass_rates(card: Scorecard) -> Iterator[PassRate]:
    """Yield every pass@k in the order of the protocol, greedy before sampled."""
    for info in card.protocol.problems:
        for decoding in DECODINGS:
            by_k = card.pass_at_k.get(info.name, {}).get(decoding, {})
            for k in sorted(by_k, key=int):
                yield PassRate(info.name, decoding, k, by_k[k])


def best_pass_at_1(card: Scorecard) -> Interval | None:
    """Return the highest pass@1 over all problem sets and decodings, None if there is none."""
    best = _best(card)
    return None if best is None else best.share


def best_pass_at_1_cell(card: Scorecard) -> str:
    """Return the highest pass@1 with its problem set and decoding, or a dash: two of them are seldom of the same."""
    best = _best(card)
    return "–" if best is None else f"{percent_interval(best.share)} ({best.problems}, {best.decoding})"


def _best(card: Scorecard) -> PassRate | None:
    rates = (
        PassRate(name, decoding, "1", by_k["1"])
        for name, sets in card.pass_at_k.items()
        for decoding, by_k in sets.items()
        if "1" in by_k
    )
    return max(rates, key=lambda rate: rate.share.estimate, default=None)


def of_all(outcomes: Mapping[str, int]) -> str:
    """Return ``"3 of 60"``: how many completions pass of those that could be judged."""
    judged = sum(outcomes.values()) - outcomes.get("not_judged", 0)
    return f"{outcomes.get('passed', 0):,} of {judged:,}"


def format_rates(formats: FormatComparison) -> str:
    """Return both pass rates of a :class:`FormatComparison`, that of the score first, and of how many problems."""
    return (
        f"{FORMATS[formats.scored]} (as scored) pass@1 {percent_interval(formats.as_scored)}, "
        f"{FORMATS[formats.other]} {percent_interval(formats.otherwise)}; greedy, the same "
        f"{counted(formats.problems, 'problem')}"
    )


def format_difference(formats: FormatComparison) -> str:
    """Return by how much the other format passes more or fewer problems, and how to score with it."""
    more = "more" if formats.difference.estimate > 0 else "fewer"
    low, high = sorted(abs(100 * end) for end in (formats.difference.low, formats.difference.high))
    return (
        f"asked {FORMATS[formats.other]} it passes {abs(100 * formats.difference.estimate):.1f} points {more} "
        f"[{low:.1f}, {high:.1f}]; {FORMAT_OPTIONS[formats.other]} scores so"
    )


def not_begun(outcomes: Mapping[str, int]) -> str:
    """Say how many prompts could not be given to the model, if any, and why: they count as not passed."""
    reasons = {
        "prompt_too_long": ("failed: prompt too long", "failed: prompt too long"),
        "prompt_not_encodable": ("failed: prompt can't be encoded", "failed: prompt can't be encoded"),
    }
    parts = [counted(outcomes[verdict], *words) for verdict, words in reasons.items() if outcomes.get(verdict)]
    return f" ({', '.join(parts)})" if parts else ""


def degeneration_interval(rate: DegenerationRate | KindRate) -> Interval:
    """Return the share of degenerate completions, of all kinds or of one, as an interval."""
    return Interval(rate.rate, rate.low, rate.high)


def degenerate_of_all(rate: DegenerationRate) -> str:
    """Return ``"59 of 60"``: how many completions are degenerate of those that were begun."""
    return f"{sum(kind.completions for kind in rate.kinds.values()):,} of {rate.completions:,}"


def kinds_by_count(rate: DegenerationRate) -> str:
    """Return ``"58 newline loops, 1 repeated token"``, the most frequent kind first."""
    ranked = sorted(rate.kinds.items(), key=lambda item: (-item[1].completions, item[0]))
    return ", ".join(
        f"{share.completions:,} {KIND_LABELS.get(kind, kind)}" for kind, share in ranked if share.completions
    )


def judged_on(card: Scorecard) -> str:
    """Return the problem sets whose completions the verdict is on: ``"humaneval and warmup"``; nothing without any."""
    if not card.degeneration:
        return ""
    return " and ".join(info.name for info in card.protocol.problems)


def verdict_words(verdict: str) -> str:
    """Return a verdict as it is said: ``"not judged"`` for ``not_judged``."""
    return verdict.replace("_", " ")


def verdict_cell(card: Scorecard) -> str:
    """Return the verdict for a table, where it stands alone: ``"healthy when sampled"`` if the greedy ones are not."""
    return verdict_words(card.verdict) + " when sampled" * (greedy_share_against(card) is not None)


def caveat(card: Scorecard) -> str:
    """Return what a reader of the verdict "healthy" must know beside it; nothing where there is nothing.

    ``", but 41.7 % of greedy completions are degenerate"``: the verdict goes by the sampled ones. ``", but only 15
    sampled completions"``: too few to rule a collapse out, which only scorecards of earlier versions call healthy.
    """
    if (greedy := greedy_share_against(card)) is not None:
        return f", but {percent_interval(greedy)} of greedy completions are degenerate"
    if card.verdict != "healthy" or not is_too_early_to_tell(card):
        return ""
    sampled = card.degeneration.get("sampled")
    if sampled is None:
        return ", but no sampled completions"
    return f", but only {counted(sampled.completions, 'sampled completion')}"
