"""Intervals of pass@k and of shares of completions, both by :func:`share_over_problems`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.statistics.binomial_intervals import share_over_problems
from evalharness.statistics.pass_at_k import pass_at_k

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalharness.records import Interval


def pass_at_k_interval(counts: Sequence[tuple[int, int]], k: int) -> Interval:
    """Return the mean pass@k over problems with its interval; ``counts`` is ``(n, c)`` for each problem.

    Raises ``ValueError`` as :func:`pass_at_k` does, and without problems.
    """
    values = [pass_at_k(n, c, k) for n, c in counts]
    return share_over_problems(values, completions=sum(n for n, _ in counts))


def share_interval(flags_by_problem: Mapping[str, Sequence[bool]]) -> Interval:
    """Return the share of all completions whose flag is set, with its interval over problems.

    Problems may differ in their number of completions; one without any does not count. Raises ``ValueError`` without
    completions.
    """
    flags = [problem for problem in flags_by_problem.values() if len(problem)]
    sizes = [len(problem) for problem in flags]
    shares = [sum(map(bool, problem)) / len(problem) for problem in flags]
    return share_over_problems(shares, completions=sum(sizes), weights=sizes)
