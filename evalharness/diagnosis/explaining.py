"""How much a finding explains: of the gap between the logged loss and the checkpoint's own, or of the bad completions.

Read off the figures that the probe measured. What a probe did not measure is 0: nobody knows what it explains.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evalharness.records import leak_matters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.records import Finding

CORRECTED = (
    ("repaired_nats", "as_loaded_nats"),
    ("with_padding_nats", "without_padding_nats"),
    ("packed_nats", "plain_nats"),
    ("at_its_step_nats", "plain_nats"),
)
"""In the evidence of a finding: the loss as the finding says that it was computed, and the loss without it (nats)."""
CLEAR = 0.05
"""Fewer degenerate completions than before may be so by chance: with a p-value from here on nothing is explained."""
LEAST_NATS = 0.005
"""A gap within rounding needs no explanation, so none of it is explained."""


def share_explained(finding: Finding) -> float:
    """The largest share of 1 that a finding accounts for: of the gap in the loss, or of the degenerate completions."""
    if leak_matters(finding) or finding.evidence.get("proven") is True:
        return 1.0
    return max([0.0, *_of_the_gap(finding.evidence), *_of_the_completions(finding.evidence)])


def _of_the_gap(evidence: Mapping[str, Any]) -> Iterator[float]:
    logged = evidence.get("logged_nats")
    for corrected, own in CORRECTED:
        if logged is not None and corrected in evidence and own in evidence:
            gap = abs(logged - evidence[own])
            if gap > LEAST_NATS:
                yield 1.0 - abs(logged - evidence[corrected]) / gap


def _of_the_completions(evidence: Mapping[str, Any]) -> Iterator[float]:
    """Of each way to ask that was tried: which share of the completions that were degenerate is so no more."""
    for figures in (evidence, *(value for value in evidence.values() if isinstance(value, Mapping))):
        before, after = figures.get("degenerate_before"), figures.get("degenerate_after")
        if before and after is not None and figures.get("p_value", 0.0) < CLEAR:
            yield (before - after) / before
