"""How often a check against a baseline cries wolf, and how often it sees a fall of 10 points.

python benchmarks/baseline.py            # writes docs/measured/baseline.md in some minutes

The check is `evalharness.statistics.has_fallen`: paired by problem, significant, and beyond a tolerance. No model is
run: problems differ in their chance to be solved, as in benchmarks/intervals.py, and what is drawn from it is judged.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from intervals import KINDS, chances
from tables import Count, table

from evalharness.problems import load_problems
from evalharness.statistics import Comparison, compare_pass_at_k, has_fallen
from evalharness.statistics.comparison import LEVEL, power_of_mcnemar

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

REPORT = Path(__file__).resolve().parent.parent / "docs" / "measured" / "baseline.md"
SETS = ("warmup", "humaneval")
RATES = (0.15, 0.3, 0.45, 0.6, 0.9)
SOME_KINDS = ("all alike", "apart", "far apart")
COMPLETIONS = (1, 4)
FALL = 0.1
TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class Case:
    """What two checkpoints are like. ``fall`` is how much less the second passes, in the mean."""

    problems: int
    rate: float
    kind: str
    completions: int
    fall: float

    def pairs(self, number: int, rng: np.random.Generator) -> Iterator[Comparison]:
        """Draw pairs of checkpoints and compare them."""
        of_first = chances(self.kind, self.rate, (number, self.problems), rng)
        of_second = of_first * (1 - self.fall / self.rate)
        passed = (rng.binomial(self.completions, of) for of in (of_first, of_second))
        for seed, (first, second) in enumerate(zip(*passed, strict=True)):
            yield compare_pass_at_k(self._counts(first), self._counts(second), 1, seed=seed)

    def _counts(self, passed: npt.NDArray[np.int64]) -> dict[str, tuple[int, int]]:
        return {str(task): (self.completions, int(count)) for task, count in enumerate(passed)}

    def exact(self) -> float | None:
        """The power by summing over all outcomes, of problems that are all alike with one completion each."""
        if self.completions > 1 or self.kind != "all alike":
            return None
        second = self.rate - self.fall
        lost, gained = self.rate * (1 - second), second * (1 - self.rate)
        return power_of_mcnemar(self.problems, lost + gained, self.fall, sided=1)


def rows(cases: list[Case], pairs: int, seed: int) -> Iterator[tuple[Case, Count, Count]]:
    """For each case how many pairs failed the check without a tolerance, and with it."""
    rng = np.random.default_rng(seed)
    for case in cases:
        found = list(case.pairs(pairs, rng))
        failed = [sum(has_fallen(pair, tolerance=tolerance) for pair in found) for tolerance in (0.0, TOLERANCE)]
        yield case, Count(failed[0], pairs), Count(failed[1], pairs)


def section(sizes: dict[str, int], fall: float, pairs: int, seed: int) -> tuple[str, list[Count]]:
    names = {size: name for name, size in sizes.items()}
    cases = [Case(*of, fall) for of in itertools.product(sizes.values(), RATES, SOME_KINDS, COMPLETIONS)]
    lines, counts = [], []
    for case, without, with_tolerance in rows(cases, pairs, seed):
        exact = case.exact()
        counts.append(without)
        lines.append([
            f"{names[case.problems]} ({case.problems})", f"{case.rate:.0%}", case.kind, str(case.completions),
            without.with_interval(), with_tolerance.with_interval(), "" if exact is None else f"{100 * exact:.1f} %",
        ])  # fmt: skip
    head = ["problems", "baseline's pass@1", "problems are", "completions", "check fails",
            f"with a tolerance of {100 * TOLERANCE:.0f} points", "exact"]  # fmt: skip
    return table(head, lines), counts


INTRODUCTION = """\
Made by `python benchmarks/baseline.py` (seed {seed}): {pairs:,} pairs of checkpoints a row, behind each share its \
exact 95 % interval (Clopper and Pearson). The check fails where the second checkpoint passes less by more than the \
tolerance and the one-sided p-value, paired by problem, is at most {level:.0%}: McNemar's exact test for one \
completion a problem, random signs for several. *Exact* sums over all outcomes where that can be done."""
FALLING = """\
Each problem's chance is less by the same factor. Kinds of problems: {alike} (*all alike*); {apart} (*apart*); {far} \
(*far apart*)."""


def report(pairs: int, seed: int) -> str:
    sizes = {name: len(load_problems(name, environment={}).problems) for name in SETS}
    sizes["both"] = sum(sizes.values())  # as a gate over the default problems checks them: in one test
    quiet, alarms = section(sizes, 0.0, pairs, seed)
    seen, _ = section(sizes, FALL, pairs, seed + 1)
    worst = max(alarms, key=lambda count: count.hits)
    overall = Count(sum(count.hits for count in alarms), sum(count.of for count in alarms))
    return "\n\n".join([
        "# The check against a baseline",
        INTRODUCTION.format(seed=seed, pairs=pairs, level=LEVEL),
        "## Two equal checkpoints, other seeds: false alarms",
        f"Over all rows {overall.with_interval()}; at most {worst.with_interval()}.",
        quiet,
        f"## A fall of {100 * FALL:.0f} points: how often it is seen",
        FALLING.format(alike=KINDS["all alike"], apart=KINDS["apart"], far=KINDS["far apart"]),
        seen,
    ]) + "\n"  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=REPORT)
    arguments = parser.parse_args()
    begun = time.perf_counter()
    arguments.out.write_text(report(arguments.pairs, arguments.seed), encoding="utf-8")
    print(f"{arguments.out}: {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
