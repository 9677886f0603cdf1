"""What a report says of degeneration: how many completions, of which kinds, how they ended, and what they depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.evidence import by_problem
from evalharness.report.numbers import (
    DECODINGS,
    KINDS,
    degenerate_of_all,
    degeneration_interval,
    nats,
    nats_interval,
    percent,
    percent_interval,
)
from evalharness.report.writers.escaping import prose, table
from evalharness.statistics import share_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.records import DegenerationRate, Interval, MutualInformation, Scorecard
    from evalharness.report.evidence import Evidence, Scored

SHARES = {
    "ended_by_itself": "the model ended it, by an end token or a stop sequence",
    "parses": "it parses as Python by itself",
    "parses_with_prompt": "it parses as Python with its prompt before it",
    "loop_ran_to_limit": "it was still looping when generation was cut",
    "loop_after_answer": "its loop follows a finished answer",
}
"""What each share in the record says of a completion, in the order in which it is listed."""


def rates(scorecard: Scorecard) -> str:
    """Return the table of the shares of degenerate completions."""
    rows = [
        [decoding, degenerate_of_all(rate), percent_interval(degeneration_interval(rate))]
        for decoding, rate in _by_decoding(scorecard)
    ]
    header = ["Decoding", "Degenerate completions", "Share, with 95 % interval"]
    return table(header, rows, frozenset({1, 2})) if rows else "No completion was begun."


def kinds(scorecard: Scorecard, evidence: Evidence) -> str:
    """Return the table of the kinds of degeneration, or nothing where there is none."""
    measured = _by_decoding(scorecard)
    begun = evidence.begun()
    present = {kind for _, rate in measured for kind, found in rate.kinds.items() if found.completions}
    rows = [
        [prose(kind), KINDS.get(kind, ""), *(_of_kind(kind, rate, begun.get(d)) for d, rate in measured)]
        for kind in (*KINDS, *sorted(present - set(KINDS)))
        if kind in present
    ]
    header = ["Kind", "What it is", *(decoding for decoding, _ in measured)]
    return table(header, rows, frozenset(range(2, len(header)))) if rows else ""


def shares(scorecard: Scorecard) -> str:
    """Return the table of the shares beside degeneration, or nothing where no completion was begun."""
    measured = _by_decoding(scorecard)
    present = {name for _, rate in measured for name in rate.shares}
    rows = [
        [prose(SHARES.get(name, name)), *(_share(rate.shares.get(name)) for _, rate in measured)]
        for name in (*SHARES, *sorted(present - set(SHARES)))
        if name in present
    ]
    header = ["Share of completions of which holds", *(decoding for decoding, _ in measured)]
    return table(header, rows, frozenset(range(1, len(header)))) if rows else ""


def endings(evidence: Evidence) -> str:
    """Return the table of why generation ended, or nothing where no completion was begun."""
    begun = evidence.begun()
    reasons = sorted({scored.completion.stop_reason for members in begun.values() for scored in members})
    rows = [
        [reason.replace("_", " "), *(_ended_by(reason, members) for members in begun.values())] for reason in reasons
    ]
    return table(["Generation ended by", *begun], rows, frozenset(range(1, 1 + len(begun)))) if rows else ""


def dependence(scorecard: Scorecard) -> str:
    """Return what the completions' dependence on their prompts is, or nothing where it was not measured."""
    measured = [(d, rate.mutual_information) for d, rate in _by_decoding(scorecard)]
    sentences = [_dependence(decoding, found) for decoding, found in measured if found is not None]
    if not sentences:
        return ""
    meaning = (
        "A model that writes the same whatever it is asked is at 0 nats, however varied that looks; one whose every "
        "completion tells which problem it is of is at the ceiling. The truth may lie above the bound, which looks at "
        "words alone (definition: `evalharness/degeneration/dependence.py`)."
    )
    return "\n\n".join([*sentences, meaning])


def _by_decoding(scorecard: Scorecard) -> list[tuple[str, DegenerationRate]]:
    return [(d, scorecard.degeneration[d]) for d in DECODINGS if d in scorecard.degeneration]


def _of_kind(kind: str, rate: DegenerationRate, members: Sequence[Scored] | None) -> str:
    """How many, and the share with its interval: that of none, too, for a kind that only the other decoding has."""
    found = rate.kinds.get(kind)
    if found is not None:
        return f"{found.completions:,}: {percent_interval(degeneration_interval(found))}"
    return f"0: {percent_interval(share_interval(by_problem(members, lambda _: False)))}" if members else "0"


def _share(share: Interval | None) -> str:
    return "–" if share is None else percent_interval(share)


def _ended_by(reason: str, members: Sequence[Scored]) -> str:
    flags = by_problem(members, lambda s: s.completion.stop_reason == reason)
    return f"{sum(map(sum, flags.values())):,}: {percent_interval(share_interval(flags))}"


def _dependence(decoding: str, found: MutualInformation) -> str:
    return (
        f"**Dependence on the prompt**, {decoding}: at least {nats_interval(found.nats)} nats of mutual information "
        f"between a problem and its completions, of at most about {nats(found.ceiling_nats)}, the logarithm of "
        f"{found.problems:,} problems. {percent_interval(found.own_fits_best)} of the completions can be told by their "
        f"words to be of their own problem; chance would tell {percent(1 / found.problems)}."
    )
