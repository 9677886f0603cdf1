"""What a notebook shows as HTML: of a scorecard the card, of a diagnosis its findings and what was tested."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from evalharness.report.card import MAX_WIDTH, render_card
from evalharness.report.parts import BulletList, Folded, Paragraph, Strong, marked
from evalharness.report.sections.verdict_lines import where_and_how_sure
from evalharness.report.untested import by_group
from evalharness.report.writers.html_parts import parts_html

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import Finding, Incomplete, NotTestable, RuledOut, Scorecard
    from evalharness.report.parts import Part, Text

_FORM = '<pre style="font-family: monospace; line-height: 1.3; overflow-x: auto">{code}</pre>'


def scorecard_html(card: Scorecard) -> str:
    """The card with its colours, every text of it escaped; the path is that of the checkpoint."""
    from rich.console import Console  # noqa: PLC0415 - only a notebook needs it

    console = Console(record=True, file=StringIO(), width=MAX_WIDTH, highlight=False)
    console.print(render_card(card, card.checkpoint.path), soft_wrap=True)
    return console.export_html(inline_styles=True, code_format=_FORM)


def diagnosis_html(
    findings: Sequence[Finding],
    ruled_out: Sequence[RuledOut],
    not_testable: Sequence[NotTestable],
    incomplete: Sequence[Incomplete],
) -> str:
    """The findings with what to do; what was ruled out, and what was not tested by why, is folded."""
    parts = [*_found(findings), *_lacking(incomplete), *_tested(ruled_out, not_testable)]
    return str(parts_html(parts, {})[0])


def _found(findings: Sequence[Finding]) -> Iterator[Part]:
    if all(finding.severity != "cause" for finding in findings):
        yield Paragraph("No cause was found.")
    for finding in findings:
        yield Paragraph((Strong(f"{finding.severity}, {finding.probe}"), ": ", *marked(finding.claim)))
        if lines := tuple(_below(finding)):
            yield BulletList(lines)


def _lacking(incomplete: Sequence[Incomplete]) -> Iterator[Part]:
    yield from (Paragraph((Strong("incomplete"), f": {lack}")) for lack in incomplete)


def _tested(ruled_out: Sequence[RuledOut], not_testable: Sequence[NotTestable]) -> Iterator[Part]:
    if ruled_out:
        yield _folded("ruled out", [(item, item.claim) for item in ruled_out])
    for group, members in by_group(not_testable):
        yield _folded(group, [(item, item.reason) for item in members])


def _below(finding: Finding) -> Iterator[Text]:
    if finding.severity != "note":
        yield from where_and_how_sure(finding)
    if finding.remedy:
        yield (Strong("What to do"), ": ", *marked(finding.remedy))


def _folded(title: str, said: Sequence[tuple[RuledOut | NotTestable, str]]) -> Folded:
    items = tuple((Strong(item.probe), ": ", *marked(sentence)) for item, sentence in said)
    return Folded(f"{title}: {len(items)}", (BulletList(items),))
