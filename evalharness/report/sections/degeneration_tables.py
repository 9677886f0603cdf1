"""The section on degeneration: how many completions, of which kinds, how they ended, and what they depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.records import DECODINGS
from evalharness.report.evidence import by_problem
from evalharness.report.numbers import nats, nats_interval, percent, percent_interval
from evalharness.report.parts import Heading, Paragraph, Strong, Table
from evalharness.report.sections.completion_means import means
from evalharness.report.sections.figure_parts import figure
from evalharness.report.shares import KINDS, degenerate_of_all, degeneration_interval
from evalharness.statistics import share_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import DegenerationRate, Interval, MutualInformation, Scorecard
    from evalharness.report.evidence import Evidence, Scored
    from evalharness.report.parts import Part, Text

SHARES = {
    "ended_by_itself": "the model ended itself (end token or stop sequence)",
    "parses": "parse as Python",
    "parses_with_prompt": "parse as Python together with the prompt",
    "loop_ran_to_limit": "were still looping when generation stopped",
    "loop_after_answer": "loop after a finished answer",
    "degenerate_without_answer": "are degenerate without that: the verdict rests on these",
}
"""What each share in the record says of its completions, in the order in which reports list them."""
_THRESHOLDS = (
    "Collapsed: the confidence interval of the sampled share lies above 20 %. Degenerating: it lies above 5 %, or that "
    "of the greedy share above 50 %. Healthy: neither, and the interval of the sampled share (of the greedy one, if "
    "nothing was sampled) lies below 20 %. Not judged: too few completions to tell. Loops that follow a finished "
    "answer are not counted. Prompts that could not be given to the model are left out here."
)
_ONSET = (
    "The completions with a loop, greedy and sampled, aligned so that their loops begin at 0. The band holds the "
    "middle half of them, and ends where fewer than five have tokens. The first copy is not yet a repetition: the "
    "effect of a loop on the entropy shows one period later."
)


def degeneration_section(card: Scorecard, evidence: Evidence, figures: Mapping[str, bytes]) -> Iterator[Part]:
    """Yield all that a report says of degeneration."""
    yield Heading("Degeneration")
    yield _rates(card)
    yield Paragraph(_THRESHOLDS)
    yield from _kinds(card, evidence)
    yield from _endings(card, evidence)
    yield from _shares(card)
    yield from dependence(card)
    yield from means(evidence)
    yield from figure("onsets", figures, after="Each row has its own vertical scale.")
    yield from figure(
        "entropy",
        figures,
        after="Greedy and sampled completions together. The band holds the middle half of them, and ends where fewer "
        "than five go on.",
    )
    yield from figure("entropy_at_onset", figures, after=_ONSET)


def _rates(card: Scorecard) -> Part:
    rows = tuple(
        (decoding, degenerate_of_all(rate), percent_interval(degeneration_interval(rate)))
        for decoding, rate in _by_decoding(card)
    )
    header = ("Decoding", "Degenerate completions", "Share, with 95 % confidence interval")
    return Table(header, rows, frozenset({1, 2})) if rows else Paragraph("No completion was begun.")


def _kinds(card: Scorecard, evidence: Evidence) -> Iterator[Part]:
    measured = _by_decoding(card)
    begun = evidence.begun()
    present = {kind for _, rate in measured for kind, kind_rate in rate.kinds.items() if kind_rate.completions}
    rows = tuple(
        (kind, KINDS.get(kind, ""), *(_kind_cell(kind, rate, begun.get(d)) for d, rate in measured))
        for kind in (*KINDS, *sorted(present - set(KINDS)))
        if kind in present
    )
    if rows:
        yield _by_column(("Kind", "What it is"), measured, rows)


def _endings(card: Scorecard, evidence: Evidence) -> Iterator[Part]:
    begun = evidence.begun()
    reasons = sorted({scored.completion.stop_reason for members in begun.values() for scored in members})
    rows = tuple(
        (reason.replace("_", " "), *(_ended_by(reason, members) for members in begun.values())) for reason in reasons
    )
    if not rows:
        return
    yield Table(("Generation ended by", *begun), rows, frozenset(range(1, 1 + len(begun))))
    if card.protocol.stop_loops:
        yield Paragraph(
            "A completion that loops is stopped early, so the length of such a loop is not the model's choice."
        )


def _shares(card: Scorecard) -> Iterator[Part]:
    measured = _by_decoding(card)
    present = {name for _, rate in measured for name in rate.shares}
    rows = tuple(
        (SHARES.get(name, name), *(_share(rate.shares.get(name)) for _, rate in measured))
        for name in (*SHARES, *sorted(present - set(SHARES)))
        if name in present
    )
    if rows:
        yield _by_column(("Share of completions that …",), measured, rows)
        yield Paragraph("Whether a completion that was stopped in a loop would have left the loop is not known.")


def dependence(card: Scorecard) -> Iterator[Part]:
    """Yield how far completions depend on their prompts; nothing if it was not measured."""
    measured = [(d, rate.mutual_information) for d, rate in _by_decoding(card)]
    sentences = [_dependence(decoding, information) for decoding, information in measured if information is not None]
    if not sentences:
        return
    yield from map(Paragraph, sentences)
    yield Paragraph(
        "A model that writes the same for every prompt has 0 nats, however varied its text looks. A model whose every "
        "completion shows which problem it answers has the maximum. The bound looks at words only, so the true value "
        "may be higher."
    )


def _by_column(
    first: tuple[Text, ...], measured: Sequence[tuple[str, DegenerationRate]], rows: tuple[tuple[Text, ...], ...]
) -> Table:
    header = (*first, *(decoding for decoding, _ in measured))
    return Table(header, rows, frozenset(range(len(first), len(header))))


def _by_decoding(card: Scorecard) -> list[tuple[str, DegenerationRate]]:
    return [(d, card.degeneration[d]) for d in DECODINGS if d in card.degeneration]


def _kind_cell(kind: str, rate: DegenerationRate, members: Sequence[Scored] | None) -> str:
    """How many, and the share with its interval: that of none, too, for a kind that only the other decoding has."""
    kind_rate = rate.kinds.get(kind)
    if kind_rate is not None:
        return f"{kind_rate.completions:,}: {percent_interval(degeneration_interval(kind_rate))}"
    return f"0: {percent_interval(share_interval(by_problem(members, lambda _: False)))}" if members else "0"


def _share(share: Interval | None) -> str:
    return "–" if share is None else percent_interval(share)


def _ended_by(reason: str, members: Sequence[Scored]) -> str:
    flags = by_problem(members, lambda s: s.completion.stop_reason == reason)
    return f"{sum(map(sum, flags.values())):,}: {percent_interval(share_interval(flags))}"


def _dependence(decoding: str, measured: MutualInformation) -> Text:
    return (
        Strong("Dependence on the prompt"),
        (
            f", {decoding}: at least {nats_interval(measured.nats)} nats of mutual information between a problem and "
            f"its completions; the maximum is about {nats(measured.ceiling_nats)}, the logarithm of "
            f"{measured.problems:,} problems. {percent_interval(measured.own_fits_best)} of the completions show by "
            f"their words which problem they answer; {percent(1 / measured.problems)} would by chance."
        ),
    )
