"""Pairs: the same problem under two conditions."""

from __future__ import annotations

from evalharness.statistics import binomial


def sign_test(better: int, worse: int) -> float:
    """Return the two-sided p-value of ``better`` pairs against ``worse`` ones under "either way alike".

    The exact test of McNemar (1947), binomial over the pairs that differ; 1 where none does. Raises ``ValueError`` for
    negative counts.
    """
    if better < 0 or worse < 0:
        raise ValueError(f"{better} better and {worse} worse: expected counts")
    return min(1.0, 2 * float(binomial.at_most(min(better, worse), better + worse, 0.5)))
