"""The section on what passes: pass@k, and how the completions ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.records import DECODINGS, Verdict
from evalharness.report.numbers import percent, percent_bounds
from evalharness.report.parts import Heading, Paragraph, Table
from evalharness.report.sections.figure_parts import figure
from evalharness.report.shares import format_difference, format_rates, of_all, pass_rates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.records import FormatComparison, Scorecard
    from evalharness.report.parts import Part

_NOTES = {
    Verdict.PROMPT_TOO_LONG: "A prompt that is too long for the context is never cut: it counts as not passed.",
    Verdict.PROMPT_NOT_ENCODABLE: "A prompt with characters that the vocabulary lacks counts as not passed.",
    Verdict.NOT_SUPPORTED: (
        "A program that the sandbox refused something it needs, such as another process, counts as not passed."
    ),
    Verdict.NOT_JUDGED: (
        "What the harness could not judge counts neither as passed nor as failed, and the score is incomplete."
    ),
}


def pass_rate_section(card: Scorecard, figures: Mapping[str, bytes]) -> Iterator[Part]:
    """Yield pass@k by problem set, the figure of it, and the outcomes."""
    yield Heading("What passes")
    yield _pass_at_k(card)
    if card.formats is not None:
        yield Paragraph(_formats(card.formats))
    if base := _base_pass_at_k(card):
        yield Paragraph("On the base tests alone, without the plus tests:")
        yield base
    yield from figure("pass_at_1", figures)
    table = _outcomes(card)
    if table is not None:
        yield Paragraph("How the completions ended:")
        yield table
    notes = _notes(card)
    if notes:
        yield Paragraph(notes)


def _pass_at_k(card: Scorecard) -> Part:
    rows = tuple(
        (rate.problems, rate.decoding, rate.k, percent(rate.share.estimate), percent_bounds(rate.share), passed)
        for rate in pass_rates(card)
        for passed in [of_all(card.outcomes.get(rate.problems, {}).get(rate.decoding, {}))]
    )
    header = ("Problems", "Decoding", "k", "pass@k", "95 % confidence interval", "Completions that pass")
    return Table(header, rows, frozenset({2, 3, 4, 5})) if rows else Paragraph("Nothing was scored.")


def _formats(formats: FormatComparison) -> str:
    """Both formats of the prompt; what differs is said, and that nothing was shown to differ as well."""
    compared = format_difference(formats) if formats.differ else "no difference beyond its interval"
    return f"Prompt formats: {format_rates(formats)}: {compared}."


def _base_pass_at_k(card: Scorecard) -> Table | None:
    """pass@k on the base tests, of the sets whose tests are in two parts."""
    rows = tuple(
        (name, decoding, k, percent(by_k[k].estimate), percent_bounds(by_k[k]))
        for name, by_decoding in card.base_pass_at_k.items()
        for decoding, by_k in by_decoding.items()
        for k in sorted(by_k, key=int)
    )
    header = ("Problems", "Decoding", "k", "pass@k", "95 % confidence interval")
    return Table(header, rows, frozenset({2, 3, 4})) if rows else None


def _outcomes(card: Scorecard) -> Table | None:
    """One row for each problem set and decoding; verdicts that no completion has are left out."""
    counted = [
        (info.name, decoding, counts)
        for info in card.protocol.problems
        for decoding in DECODINGS
        if (counts := card.outcomes.get(info.name, {}).get(decoding))
    ]
    verdicts = [v for v in Verdict if any(counts.get(v) for _, _, counts in counted)]
    rows = tuple(
        (name, decoding, *(f"{counts.get(v, 0):,}" for v in verdicts), f"{sum(counts.values()):,}")
        for name, decoding, counts in counted
    )
    header = ("Problems", "Decoding", *(v.replace("_", " ") for v in verdicts), "all")
    return Table(header, rows, frozenset(range(2, len(header)))) if rows else None


def _notes(card: Scorecard) -> str:
    """What has to be said of the verdicts that are no fault of a program, or nothing."""
    present = {v for sets in card.outcomes.values() for counts in sets.values() for v, n in counts.items() if n}
    return " ".join(note for verdict, note in _NOTES.items() if verdict in present)
