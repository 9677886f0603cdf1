"""The cause of a scorecard in a sentence or in a cell: found, not found, or not looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.loss_verdict import was_seen
from evalharness.report.numbers import counted
from evalharness.report.parts import Code

if TYPE_CHECKING:
    from evalharness.records import Scorecard
    from evalharness.report.parts import Text


def was_diagnosed(card: Scorecard) -> bool:
    """Whether any probe could test its hypothesis."""
    return bool(card.findings or card.ruled_out)


def no_cause(card: Scorecard) -> str:
    """Say of a scorecard without a cause how many hypotheses were ruled out, and how many could not be tested.

    A hypothesis with several checks counts once; if one of them could not be tested, it is ruled out in part.
    """
    if not was_diagnosed(card):
        return f"no diagnosis: {'nothing could be tested' if was_seen(card) else 'only completions were given'}."
    with_finding = {finding.probe for finding in card.findings}
    cleared = {item.probe for item in card.ruled_out} - with_finding
    untested = {item.probe for item in card.not_testable} - with_finding
    in_part, not_at_all = cleared & untested, untested - cleared
    tested = f"{counted(len(cleared), 'hypothesis was', 'hypotheses were')} tested and ruled out"
    parts = [f"{tested} ({len(in_part)} only in part)" if in_part else tested]
    late = not_at_all & {item.probe for item in card.not_testable if item.kind == "no_time"}
    parts += [f"{len(not_at_all - late)} could not be tested"] if not_at_all - late else []
    parts += [f"{len(late)} not tested for lack of time"] if late else []
    return f"none found; {', '.join(parts)}."


def cause_cell(card: Scorecard) -> Text:
    """Return the probe of the cause, or that none was found, or that there was no diagnosis."""
    if card.cause is None:
        return "none found" if was_diagnosed(card) else "no diagnosis"
    return Code(card.cause.probe)
