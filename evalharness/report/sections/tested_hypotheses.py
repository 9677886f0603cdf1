"""Every hypothesis that is no finding: what is open and what would settle it; the rest folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.parts import Code, Folded, Paragraph, Table, marked
from evalharness.report.untested import NOT_APPLICABLE, group_of, supplied_by
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import Finding, NotTestable, RuledOut
    from evalharness.report.parts import Part, Text

OPEN = ("Hypothesis", "Probe", "Not tested", "Why", "What would let it be tested")
MOOT = ("Hypothesis", "Probe", "Why it does not arise")
CLEARED = ("Hypothesis", "Probe", "What was measured")


def hypotheses(
    findings: Sequence[Finding],
    ruled_out: Sequence[RuledOut],
    not_testable: Sequence[NotTestable],
    questions: Mapping[str, str],
) -> Iterator[Part]:
    """Yield the hypotheses without a finding, as the probes are ordered: first what is open, and what is missing.

    What does not apply and what is ruled out is folded. A sentence says it if nothing was tested, and all for one
    reason.
    """
    reasons = {item.reason for item in not_testable}
    if not findings and not ruled_out and len(reasons) <= 1:
        yield Paragraph(f"Nothing was tested{''.join(f': {reason}' for reason in reasons)}.")
        return
    order = {name: i for i, name in enumerate(questions)}
    untested = sorted(not_testable, key=lambda item: order.get(item.probe, len(order)))
    cleared = sorted(ruled_out, key=lambda item: order.get(item.probe, len(order)))
    if unanswered := [item for item in untested if group_of(item) != NOT_APPLICABLE]:
        yield Table(OPEN, tuple(_open_row(item, questions) for item in unanswered))
    if moot := [item for item in untested if group_of(item) == NOT_APPLICABLE]:
        rows = tuple((*_asked(item, questions), marked(item.reason)) for item in moot)
        yield Folded(f"{names_in_line(moot, NOT_APPLICABLE)}.", (Table(MOOT, rows),))
    if cleared:
        rows = tuple((*_asked(item, questions), marked(item.claim)) for item in cleared)
        yield Folded(f"{names_in_line(cleared, 'ruled out')}.", (Table(CLEARED, rows),))


def _asked(item: RuledOut | NotTestable, questions: Mapping[str, str]) -> tuple[Text, Text]:
    return questions.get(item.probe, ""), Code(item.probe)


def _open_row(item: NotTestable, questions: Mapping[str, str]) -> tuple[Text, ...]:
    return *_asked(item, questions), group_of(item), marked(item.reason), supplied_by(item) or "–"


def names_in_line(items: Sequence[RuledOut | NotTestable], result: str) -> str:
    """Return ``"2 hypotheses ruled out: adapter, context"``; several checks of one hypothesis count once."""
    names = tuple(dict.fromkeys(item.probe for item in items))
    return f"{counted(len(names), 'hypothesis', 'hypotheses')} {result}: {', '.join(names)}"
