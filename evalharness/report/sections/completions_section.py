"""The section that shows completions, and how one of them looks on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.parts import Emphasis, Heading, Listing, Paragraph, Passage, joined
from evalharness.report.shown_completions import shown_completions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.records import Scorecard
    from evalharness.report.evidence import Evidence
    from evalharness.report.parts import Part
    from evalharness.report.shown_completions import Example, Excerpt

_WORST = (
    "The longest loop of each kind, or one completion of a kind without loops, the most frequent kind first; then the "
    "longest other loops. Each answers another problem. Tokens and characters are counted from 0."
)


def completions_section(card: Scorecard, evidence: Evidence) -> Iterator[Part]:
    """Yield the worst completions of all, then some of each problem set."""
    shown = shown_completions(
        {info.name: evidence.scored.get(info.name, ()) for info in card.protocol.problems}, evidence.token_text
    )
    yield Heading("Actual behaviour")
    yield Heading("The worst completions", 3)
    yield Paragraph(_WORST if shown.worst else "No completion is degenerate.")
    for example in shown.worst:
        yield from example_parts(example)
    for name, of_set in shown.by_set.items():
        yield Heading(name, 3)
        above = shown.above[name]
        if above:
            named = joined([(*example.name, f" ({example.why})") for example in above], "; ")
            yield Paragraph(("Among the worst above: ", *named, "."))
        elif not of_set:
            yield Paragraph("No completion was begun.")
        for example in of_set:
            yield from example_parts(example)


def example_parts(example: Example) -> Iterator[Part]:
    """Yield one completion: the prompt, what was expected, what was generated, and the facts."""
    yield Heading(example.heading, 4)
    for label, text in (("Prompt", example.prompt), ("Expected", example.expected), ("Generated", example.generated)):
        yield Paragraph(f"{label}:")
        yield from excerpt_parts(text)
    if example.tokens:
        yield Listing(example.tokens)
    yield Paragraph((*example.facts, "."))


def excerpt_parts(text: Excerpt) -> Iterator[Part]:
    """Yield an excerpt, and the note on what was changed in it."""
    yield Passage(text.rows) if text.rows else Listing(text.text, text.language)
    if text.note:
        yield Paragraph(Emphasis(text.note))
