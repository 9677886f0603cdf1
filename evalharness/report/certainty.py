"""How sure a finding is, in words, from the fields of its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalharness.records import Finding

PROVEN = "proven by repair: with it undone the logged loss comes back, and a second figure agrees"
SHOWN = "shown by a test that could have said the opposite"
CONSISTENT = "consistent with what was measured, but not proven: nothing that was undone brings the logged loss back"


def certainty(finding: Finding) -> str:
    """Return the words. What a probe of another package rests on is that package's to say."""
    if finding.package is not None:
        return f"as {finding.package} reports it"
    match finding.evidence.get("proven"):
        case True:
            return PROVEN
        case False:
            return CONSISTENT
        case _:
            return SHOWN
