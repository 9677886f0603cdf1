"""Pairs: the same problem under two conditions."""

from __future__ import annotations

from evalharness.statistics.binomial import two_sided


def sign_test(better: int, worse: int) -> float:
    """Return the two-sided p-value of ``better`` pairs against ``worse`` ones under "either way alike".

    The exact test of McNemar (1947), binomial over the pairs that differ; 1 where none does. Raises ``ValueError`` for
    negative counts.
    """
    if better < 0 or worse < 0:
        raise ValueError(f"{better} better and {worse} worse: expected counts")
    return two_sided(better, worse)
