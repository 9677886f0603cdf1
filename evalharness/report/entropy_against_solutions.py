"""What the logged entropy of a run goes along with: pass@1, pass@k, and how many solutions of a problem differ.

Reinforcement learning can raise pass@1 by writing one solution over and over. Entropy falls then, pass@1 rises, and
pass@k does not: the model solves no problem more than before (Yue et al. 2025, "Does Reinforcement Learning Really
Incentivize Reasoning Capacity in LLMs Beyond the Base Model?").
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from evalharness.statistics import compare_pass_at_k, correlate, paired_difference, pass_at_k

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from evalharness.records import Interval
    from evalharness.runs.frames import RunFrames
    from evalharness.statistics import Comparison, Correlation

FALL = 0.2
"""An entropy that is lower by at least this share has fallen: a smaller move is within what batches differ by."""
SEED = 0


@dataclass(frozen=True, slots=True)
class Different:
    """The share of a problem's completions that differ from each other in more than blanks, mean over problems."""

    first: float
    last: float
    difference: Interval


@dataclass(frozen=True, slots=True)
class EntropyAgainstSolutions:
    """The entropy (nats) of a run beside the solutions of one problem set, the first scored step against the last.

    ``trend_1`` and ``trend_k`` are the rank correlations of entropy with pass@1 and pass@k over all steps.
    """

    problems: str
    k: int
    steps: tuple[int, int]
    entropies: tuple[float, float]
    pass_at_1: Comparison
    pass_at_k: Comparison
    different: Different
    trend_1: Correlation
    trend_k: Correlation

    @property
    def has_fallen(self) -> bool:
        """Whether the entropy has fallen by :data:`FALL` or more."""
        return self.entropies[1] <= (1 - FALL) * self.entropies[0]

    @property
    def narrows(self) -> bool:
        """Whether entropy fell, pass@1 rose by more than chance, and pass@k did not."""
        return self.has_fallen and self.pass_at_1.difference.low > 0 and self.pass_at_k.difference.low <= 0


def entropy_by_step(frames: RunFrames) -> dict[int, float]:
    """The mean of the logged entropies (nats) at each scored step: a value counts for the step nearest to it."""
    logged, steps = frames.entropies.dropna(subset=["entropy_nats"]), sorted(frames.numbered().scorecards)
    if not steps or not len(logged):
        return {}
    nearest = np.abs(logged["step"].to_numpy()[:, None] - np.array(steps)[None]).argmin(axis=1)
    means = logged["entropy_nats"].groupby(nearest).mean()
    return {steps[place]: float(mean) for place, mean in means.items()}


def entropy_against_solutions(frames: RunFrames) -> list[EntropyAgainstSolutions]:
    """Compare for every problem set that has several sampled completions per problem at two steps or more."""
    entropies = entropy_by_step(frames)
    sampled = frames.numbered().completions.dropna(subset=["passed"])
    sampled = sampled[(sampled["decoding"] == "sampled") & sampled["step"].isin(entropies)]
    by_set = ((str(name), _by_step(rows)) for name, rows in sampled.groupby("problems", sort=True))
    return [comparison for name, steps in by_set if (comparison := _compare_set(name, steps, entropies)) is not None]


@dataclass(frozen=True, slots=True)
class _Solutions:
    """The sampled completions of one problem at one step."""

    completions: int
    passed: int
    different: int


def _by_step(rows: pd.DataFrame) -> dict[int, dict[str, _Solutions]]:
    solutions_by_step: dict[int, dict[str, _Solutions]] = {}
    ordered = rows.sort_values(["step", "task_id"], kind="stable")[["step", "task_id", "passed", "text"]]
    for (step, task), group in groupby(ordered.itertuples(index=False), key=lambda row: (row.step, row.task_id)):
        of_task = list(group)
        different = {" ".join(str(row.text).split()) for row in of_task}
        solutions = _Solutions(len(of_task), sum(bool(row.passed) for row in of_task), len(different))
        solutions_by_step.setdefault(int(step), {})[str(task)] = solutions
    return solutions_by_step


def _compare_set(
    name: str, steps: Mapping[int, Mapping[str, _Solutions]], entropies: Mapping[int, float]
) -> EntropyAgainstSolutions | None:
    if len(steps) < 2:
        return None
    tasks = sorted(set.intersection(*(set(of_step) for of_step in steps.values())))
    k = min((of_step[task].completions for of_step in steps.values() for task in tasks), default=0)
    if k < 2:
        return None
    first, last = min(steps), max(steps)
    before, after = (
        {task: (steps[step][task].completions, steps[step][task].passed) for task in tasks} for step in (first, last)
    )
    nats = [entropies[step] for step in sorted(steps)]
    return EntropyAgainstSolutions(
        problems=name,
        k=k,
        steps=(first, last),
        entropies=(entropies[first], entropies[last]),
        pass_at_1=compare_pass_at_k(before, after, 1, seed=SEED),
        pass_at_k=compare_pass_at_k(before, after, k, seed=SEED),
        different=_different([steps[first][task] for task in tasks], [steps[last][task] for task in tasks]),
        trend_1=correlate(list(_shares(steps, tasks, 1)), nats, seed=SEED).levels,
        trend_k=correlate(list(_shares(steps, tasks, k)), nats, seed=SEED).levels,
    )


def _different(first: list[_Solutions], last: list[_Solutions]) -> Different:
    a, b = ([solutions.different / solutions.completions for solutions in of_step] for of_step in (first, last))
    return Different(float(np.mean(a)), float(np.mean(b)), paired_difference(a, b))


def _shares(steps: Mapping[int, Mapping[str, _Solutions]], tasks: list[str], k: int) -> Iterator[list[float]]:
    for step in sorted(steps):
        yield [pass_at_k(steps[step][task].completions, steps[step][task].passed, k) for task in tasks]
