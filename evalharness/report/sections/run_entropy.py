"""What the entropy that reinforcement learning logged goes along with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.entropy_against_solutions import (
    EntropyAgainstSolutions,
    entropy_against_solutions,
    entropy_by_step,
)
from evalharness.report.numbers import nats, percent, percent_bounds, relative_change
from evalharness.report.parts import BulletList, Heading, Paragraph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.records import Interval
    from evalharness.report.parts import Part
    from evalharness.report.run_evidence import Run
    from evalharness.statistics import Comparison, Correlation

_ABOUT = (
    "The logged entropy is the mean of the values nearest to each scored step. First scored step against last; the "
    "difference has a confidence interval over problems, which both steps share. Completions differ if they do in more "
    "than blanks."
)
_TOO_FEW = (
    "Whether the model still finds different solutions can't be told: that takes two scored steps with several sampled "
    "completions per problem."
)


def run_entropy_section(run: Run) -> Iterator[Part]:
    """Yield entropy beside pass@1, pass@k and different completions; nothing if no entropy was logged."""
    if not entropy_by_step(run.frames):
        return
    yield Heading("Entropy and different solutions", 3)
    comparisons = entropy_against_solutions(run.frames)
    if not comparisons:
        yield Paragraph(_TOO_FEW)
        return
    for comparison in comparisons:
        yield BulletList(tuple(_figures(comparison)))
        if comparison.narrows:
            yield Paragraph(narrowing(comparison))
    yield Paragraph(_ABOUT)


def narrowing(comparison: EntropyAgainstSolutions) -> str:
    """Say that a model solves the same problems more often, and no others."""
    fewer = comparison.different.difference.high < 0
    return (
        f"{comparison.problems}: entropy fell and pass@1 rose, pass@{comparison.k} did not: the model solves problems "
        "more reliably, without evidence that it solves more of them"
        f"{', and its solutions differ less' if fewer else ''}."
    )


def _figures(comparison: EntropyAgainstSolutions) -> Iterator[str]:
    first, last = comparison.entropies
    steps = f"step {comparison.steps[0]:,} → {comparison.steps[1]:,}"
    yield f"{comparison.problems}, {steps}: entropy {nats(first)} → {nats(last)} nats ({relative_change(first, last)})"
    for k, compared, trend in (
        (1, comparison.pass_at_1, comparison.trend_1),
        (comparison.k, comparison.pass_at_k, comparison.trend_k),
    ):
        yield f"pass@{k}: {_change(compared)}{_trend(trend)}"
    different = comparison.different
    yield (
        f"different completions per problem: {percent(different.first)} → {percent(different.last)}, difference "
        f"{_difference(different.difference)}"
    )


def _change(compared: Comparison) -> str:
    first, last = percent(compared.first.estimate), percent(compared.second.estimate)
    return f"{first} → {last}, difference {_difference(compared.difference)}"


def _difference(interval: Interval) -> str:
    return f"{100 * interval.estimate:+.1f} {percent_bounds(interval)} points"


def _trend(trend: Correlation) -> str:
    """The rank correlation with entropy, if there are steps enough."""
    if trend.rho is None:
        return ""
    rho = f"{trend.rho.estimate:+.2f} [{trend.rho.low:+.2f}, {trend.rho.high:+.2f}]"
    return f"; rank correlation with entropy over {trend.points} steps {rho}"
