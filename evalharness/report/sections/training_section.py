"""The section on how a run was trained: data with an example row, model, method and schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.card import checkpoint_kind
from evalharness.report.loop_rows import marked
from evalharness.report.numbers import number, percent
from evalharness.report.parts import Code, Heading, Paragraph, Table
from evalharness.report.sections.completions_section import excerpt_parts
from evalharness.report.shown_completions import excerpt
from evalharness.report.text_ends import BLANK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.report.parts import Part, Text
    from evalharness.report.run_evidence import Run
    from evalharness.runs.run_record import DataFile


def training_section(run: Run) -> Iterator[Part]:
    """Yield what is known of the training, a table for each of its parts, and an example row of the data."""
    yield Heading("How it was trained")
    yield Paragraph('Read from the checkpoints, the manifest and the log. "Not recorded" is what none of them says.')
    rows: dict[str, list[tuple[Text, ...]]] = {}
    for section, name, value in run.facts:
        rows.setdefault(section, []).append((name, value))
    card = run.last.checkpoint
    rows.setdefault("Model", []).extend([("Kind", checkpoint_kind(card)), ("Parameters", number(card.parameters))])
    for section, of_section in rows.items():
        yield Heading(section, 3)
        yield Table(("Fact", "Value"), tuple(of_section))
        if section == "Data":
            yield from _example(run.data[:1])


def _example(files: tuple[DataFile, ...]) -> Iterator[Part]:
    """The first row of the first file, and what its prompts end with."""
    for file in files:
        yield Paragraph(("The first row of ", Code(file.path), ":"))
        if file.prompt:
            yield Paragraph("Prompt:")
            yield from excerpt_parts(excerpt(file.prompt))
            yield Paragraph("Solution:")
        yield from excerpt_parts(excerpt(file.completion))
        if file.prompt_endings:
            ending, count = file.prompt_endings[0]
            shown = Code(marked(ending)) if ending != BLANK else "nothing but whitespace"
            yield Paragraph(("Most prompts end with ", shown, f" ({percent(count / file.read)})."))
