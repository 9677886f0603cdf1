"""The cause of a scorecard in a sentence or in a cell: found, not found, or not looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.loss_verdict import was_seen
from evalharness.report.parts import Code
from evalharness.report.untested import NOT_APPLICABLE, group_of
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from evalharness.records import Scorecard
    from evalharness.report.parts import Text


def was_diagnosed(card: Scorecard) -> bool:
    """Whether any probe could test its hypothesis."""
    return bool(card.findings or card.ruled_out)


def no_cause(card: Scorecard) -> str:
    """Say of a scorecard without a cause what contributes, and how many hypotheses were ruled out or not tested.

    A hypothesis with several checks counts once; if one of them could not be tested, it is ruled out in part. One that
    does not apply to this checkpoint is counted apart: nothing is open there.
    """
    if not was_diagnosed(card):
        return f"no diagnosis: {'nothing could be tested' if was_seen(card) else 'only completions were given'}."
    with_finding = {finding.probe for finding in card.findings}
    cleared = {item.probe for item in card.ruled_out} - with_finding
    untested = {item.probe for item in card.not_testable} - with_finding
    late = {item.probe for item in card.not_testable if group_of(item) == "no time"}
    unanswered = {item.probe for item in card.not_testable if group_of(item) != NOT_APPLICABLE}
    in_part, not_at_all = cleared & unanswered, untested - cleared
    tested = f"{counted(len(cleared), 'hypothesis was', 'hypotheses were')} tested and ruled out"
    parts = [f"{tested} ({len(in_part)} only in part)" if in_part else tested]
    counts = (
        (not_at_all & unanswered - late, "could not be tested"),
        (not_at_all & late, "not tested for lack of time"),
        (not_at_all - unanswered, "not applicable"),
    )
    parts += [f"{len(probes)} {words}" for probes, words in counts if probes]
    return f"{none_found(card)}; {', '.join(parts)}."


def none_found(card: Scorecard) -> str:
    """Say that no cause was found, and which findings contribute."""
    named = ", ".join(contributing(card))
    return f"none that explains it alone; contributing: {named}" if named else "none found"


def contributing(card: Scorecard) -> tuple[str, ...]:
    """The probes with a finding that contributes, the first one first, each once."""
    return tuple(dict.fromkeys(finding.probe for finding in card.contributing))


def cause_cell(card: Scorecard) -> Text:
    """Return the probe of the cause, else that of what contributes most, or that there is none, or no diagnosis."""
    if card.cause is not None:
        return Code(card.cause.probe)
    if named := contributing(card):
        return ("contributing: ", Code(named[0]))
    return "none found" if was_diagnosed(card) else "no diagnosis"
