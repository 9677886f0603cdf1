"""How honest the intervals are: how often they hold the truth, and how wide they are.

python benchmarks/intervals.py             # writes docs/measured/intervals.md in some minutes
python benchmarks/intervals.py --unequal   # prints the part about shares of all completions

One completion a problem is summed exactly over all outcomes. Several completions are simulated: problems differ in
their chance to be solved, in six ways. Beside the intervals in use stand others that were tried.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv, ndtr, ndtri, stdtrit
from scipy.stats import binom
from tables import table

from evalharness.statistics import exact_share, paired_difference, share_over_problems, wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    Shares = npt.NDArray[np.float64]
    Bounds = tuple[float, float]

REPORT = Path(__file__).resolve().parent.parent / "docs" / "measured" / "intervals.md"
SIZES = (20, 60, 164, 500)
RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
COMPLETIONS = 4
AIM = 0.94
NEAR = 0.015
IN_USE = "in use)"
RESAMPLES = 1_000
Z = float(ndtri(0.975))

KINDS = {
    "all alike": "every problem has the same chance",
    "little apart": "a beta distribution, correlation within a problem 0.1",
    "apart": "a beta distribution, correlation 0.3",
    "far apart": "a beta distribution, correlation 0.7",
    "all or nothing": "a problem is always solved or never",
    "few decide": "half of the rate is from problems that are always solved, the rest is spread over all others",
}
CORRELATIONS = {"little apart": 0.1, "apart": 0.3, "far apart": 0.7}


def chances(kind: str, rate: float, shape: tuple[int, int], rng: np.random.Generator) -> Shares:
    """The chance of each problem to be solved, for each trial."""
    if kind == "all alike":
        return np.full(shape, rate)
    if kind == "all or nothing":
        return (rng.random(shape) < rate).astype(float)
    if kind == "few decide":
        return np.where(rng.random(shape) < rate / 2, 1.0, rate / 2 / (1 - rate / 2))
    both = 1 / CORRELATIONS[kind] - 1
    return rng.beta(rate * both, (1 - rate) * both, size=shape)


def clopper_pearson(successes: float, n: float) -> Bounds:
    low = float(betaincinv(successes, n - successes + 1, 0.025)) if successes > 0 else 0.0
    return low, float(betaincinv(successes + 1, n - successes, 0.975)) if successes < n else 1.0


def agresti_coull(successes: int, n: int) -> Bounds:
    centre = (successes + Z * Z / 2) / (n + Z * Z)
    half = Z * (centre * (1 - centre) / (n + Z * Z)) ** 0.5
    return centre - half, centre + half


def jeffreys(successes: int, n: int) -> Bounds:
    low = float(betaincinv(successes + 0.5, n - successes + 0.5, 0.025)) if successes else 0.0
    return low, float(betaincinv(successes + 0.5, n - successes + 0.5, 0.975)) if successes < n else 1.0


def of_interval(function: Callable[..., object]) -> Callable[..., Bounds]:
    def bounds(*arguments: object, **more: object) -> Bounds:
        found = function(*arguments, **more)
        return found.low, found.high  # type: ignore[attr-defined]

    return bounds


EXACT_IN_USE = "**Blaker, at 0 and at all Wilson if wider (in use)**"
SINGLE: dict[str, Callable[[int, int], Bounds]] = {
    EXACT_IN_USE: of_interval(exact_share),
    "Wilson": of_interval(wilson),
    "Agresti-Coull": agresti_coull,
    "Jeffreys": jeffreys,
    "Clopper-Pearson": clopper_pearson,
}


def resampled(values: Shares, rng: np.random.Generator) -> Shares:
    kinds, counts = np.unique(values, return_counts=True)
    return rng.multinomial(len(values), counts / len(values), size=RESAMPLES) @ kinds / len(values)


def percentile(values: Shares, rng: np.random.Generator) -> Bounds:
    """The bootstrap over problems; Wilson's where all agree."""
    if np.ptp(values) == 0 and values[0] >= 0:
        found = wilson(float(values.sum()), len(values))
        return found.low, found.high
    low, high = np.quantile(resampled(values, rng), [0.025, 0.975])
    return float(low), float(high)


def corrected(values: Shares, rng: np.random.Generator) -> Bounds:
    """The bootstrap with bias correction and acceleration (BCa; Efron 1987)."""
    if np.ptp(values) == 0:
        return percentile(values, rng)
    means, apart = resampled(values, rng), values - values.mean()
    below = np.mean(means < values.mean() - 1e-12) + np.mean(np.abs(means - values.mean()) < 1e-12) / 2
    bias = float(ndtri(min(max(below, 1e-4), 1 - 1e-4)))
    skew = float((apart**3).sum() / 6 / (apart**2).sum() ** 1.5)
    tails = [float(ndtr(bias + (bias + z) / (1 - skew * (bias + z)))) for z in (-Z, Z)]
    low, high = np.quantile(means, tails)
    return float(low), float(high)


def effective(values: Shares, _rng: np.random.Generator) -> Bounds:
    """Korn and Graubard's as they give it, without the two problems more."""
    n, mean, spread = len(values), float(values.mean()), float(((values - values.mean()) ** 2).sum())
    if spread == 0 or mean in {0, 1}:
        return clopper_pearson(mean * n, n)
    uncertain = float(stdtrit(n * COMPLETIONS - 1, 0.975) / stdtrit(n - 1, 0.975)) ** 2
    size = min(mean * (1 - mean) * n * (n - 1) / spread * uncertain, n * COMPLETIONS)
    return clopper_pearson(mean * size, size)


SEVERAL: dict[str, Callable[[Shares, np.random.Generator], Bounds]] = {
    "**effective number, two problems more (in use)**": lambda values, _: of_interval(share_over_problems)(
        values, completions=COMPLETIONS * len(values)
    ),
    "effective number (Korn-Graubard)": effective,
    "bootstrap over problems": percentile,
    "bootstrap, BCa": corrected,
    "Clopper-Pearson over problems": lambda values, _: clopper_pearson(float(values.sum()), len(values)),
}


def pooled(loops: Shares, sizes: Shares, rng: np.random.Generator) -> Bounds:
    """The bootstrap over problems of a share of all completions, whole problems drawn (Field and Welsh 2007)."""
    if loops.sum() in {0, sizes.sum()}:
        found = wilson(float(loops.sum() / sizes.sum() * len(sizes)), len(sizes))
        return found.low, found.high
    kinds, counts = np.unique(np.column_stack([loops, sizes]), axis=0, return_counts=True)
    drawn = rng.multinomial(len(sizes), counts / len(sizes), size=RESAMPLES) @ kinds
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return float(low), float(high)


UNEQUAL: dict[str, Callable[[Shares, Shares, np.random.Generator], Bounds]] = {
    "**effective number, two problems more (in use)**": lambda loops, sizes, _: of_interval(share_over_problems)(
        loops / sizes, completions=int(sizes.sum()), weights=sizes
    ),
    "bootstrap over problems": pooled,
}


def simulated_pooled(n: int, trials: Trials, rng: np.random.Generator) -> str:
    """A share of all completions, of which problems have 1 to ``COMPLETIONS``."""
    covered = Covered()
    for rate, kind in itertools.product(RATES, KINDS):

        def drawn(number: int, rate: float = rate, kind: str = kind) -> Iterator[tuple[Shares, Shares]]:
            sizes = rng.integers(1, COMPLETIONS + 1, (number, n))
            loops = rng.binomial(sizes, chances(kind, rate, (number, n), rng))
            return zip(loops, sizes, strict=True)

        for method, bounds in UNEQUAL.items():
            share, width = measured([bounds(*counts, rng) for counts in drawn(trials.of(method))], rate)
            if IN_USE in method and share < AIM + NEAR:
                share, width = measured([bounds(*counts, rng) for counts in drawn(trials.again)], rate)
            covered.add(method, share, width, f"{rate:.0%}, {kind}")
    return table([*HEAD, "width, against that in use"], covered.rows(next(iter(UNEQUAL))))


def of_completions(trials: Trials, seed: int) -> list[str]:
    """The part about shares of all completions, with random numbers of its own."""
    rng = np.random.default_rng([seed, 1])
    heading = f"## The share of all completions, 1 to {COMPLETIONS} a problem"
    return [
        heading,
        UNEQUAL_SIZES,
        *(f"### {n} problems, unequal\n\n{simulated_pooled(n, trials, rng)}" for n in SIZES),
    ]


def student(differences: Shares) -> Bounds:
    n = len(differences)
    half = float(stdtrit(n - 1, 0.975)) * float(differences.std(ddof=1)) / n**0.5
    return float(differences.mean()) - half, float(differences.mean()) + half


def two_exact(differences: Shares) -> Bounds:
    """Surely 95 %: Clopper and Pearson's at 97.5 % for each way a problem can flip, one less the other."""
    n, bounds = len(differences), []
    for successes in (int((differences > 0).sum()), int((differences < 0).sum())):
        low = float(betaincinv(successes, n - successes + 1, 0.0125)) if successes else 0.0
        high = float(betaincinv(successes + 1, n - successes, 0.9875)) if successes < n else 1.0
        bounds.append((low, high))
    (up_low, up_high), (down_low, down_high) = bounds
    return up_low - down_high, up_high - down_low


def square_and_add(first: Shares, second: Shares) -> Bounds:
    """Newcombe's method 10 (1998) from Wilson's intervals, with the correlation of the problems' shares."""
    a, b = (wilson(float(v.sum()), len(v)) for v in (first, second))
    x, y = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((x**2).sum() * (y**2).sum()))
    r = float((x * y).sum()) / scale if scale else 0.0
    down, up = b.estimate - b.low, a.high - a.estimate
    down2, up2 = a.estimate - a.low, b.high - b.estimate
    d = b.estimate - a.estimate
    low = d - max(down**2 - 2 * r * down * up + up**2, 0.0) ** 0.5
    return low, d + max(up2**2 - 2 * r * up2 * down2 + down2**2, 0.0) ** 0.5


EXACT = "exact (Clopper-Pearson for each way to flip)"
DIFFERENCES: dict[str, Callable[[Shares, Shares, np.random.Generator], Bounds]] = {
    "**Bonett-Price (in use)**": lambda a, b, _: of_interval(paired_difference)(a, b),
    "Newcombe's square-and-add": lambda a, b, _: square_and_add(a, b),
    "Student's": lambda a, b, _: student(b - a),
    EXACT: lambda a, b, _: two_exact(b - a),
    "bootstrap over problems": lambda a, b, rng: tuple(np.quantile(resampled(b - a, rng), [0.025, 0.975])),  # type: ignore[dict-item,return-value]
}
RELATIONS = {
    "equal": "the second has the first's chances",
    "other problems": "as good, and on other problems",
    "half": "half of each chance",
    "10 points less": "each chance less by the same factor, so that the mean falls by 10 points (from rates of 20 %)",
}


def second(relation: str, first: Shares, kind: str, rate: float, rng: np.random.Generator) -> tuple[Shares, float]:
    """The second checkpoint's chances, and the true difference."""
    if relation == "equal":
        return first, 0.0
    if relation == "other problems":
        return chances(kind, rate, first.shape, rng), 0.0
    factor = 0.5 if relation == "half" else 1 - 0.1 / rate
    return first * factor, rate * (factor - 1)


class Covered:
    """How often each method held the truth, and how wide it was, case by case."""

    def __init__(self) -> None:
        self.held: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self.widths: dict[str, list[float]] = defaultdict(list)

    def add(self, method: str, share: float, width: float, case: str) -> None:
        """Keep one case."""
        self.held[method].append((share, case))
        self.widths[method].append(width)

    def rows(self, exact: str) -> Iterator[list[str]]:
        """A row for each method; ``exact`` is the one that widths are told against."""
        of_exact = np.array(self.widths[exact])
        for method, held in self.held.items():
            worst, case = min(held)
            shares = [share for share, _ in held]
            wide = float(np.mean(np.array(self.widths[method]) / of_exact))
            short = sum(share < AIM for share in shares)
            yield [method, f"{100 * worst:.1f} % ({case})", f"{short} of {len(held)}", f"{100 * np.mean(shares):.1f} %",
                   f"{wide:.2f}"]  # fmt: skip


HEAD = ["interval", "covers at worst (where)", "cases below 94 %", "covers on average"]


def singles(n: int) -> str:
    """Every true rate from 1 % to 99 % in steps of 0.05 %, all outcomes by their chance."""
    covered = Covered()
    rates = np.arange(0.01, 0.99001, 0.0005)
    outcomes = binom.pmf(np.arange(n + 1)[None], n, rates[:, None])
    for method, bounds in SINGLE.items():
        low, high = np.array([bounds(successes, n) for successes in range(n + 1)]).T
        holds = (low[None] <= rates[:, None] + 1e-12) & (rates[:, None] - 1e-12 <= high[None])
        for share, width, rate in zip((outcomes * holds).sum(1), outcomes @ (high - low), rates, strict=True):
            covered.add(method, float(share), float(width), f"{100 * rate:.2f} %")
    return table([*HEAD, "width, against Clopper-Pearson"], covered.rows("Clopper-Pearson"))


@dataclass(frozen=True, slots=True)
class Trials:
    """How many a case gets; ``again`` where the interval in use comes near the aim."""

    usual: int
    resampling: int
    again: int

    def of(self, method: str) -> int:
        """Those of one method: resampling takes its time."""
        return self.resampling if "bootstrap" in method else self.usual


def measured(found: Sequence[Bounds], truth: float) -> tuple[float, float]:
    """How often the truth was held, and the mean width."""
    low, high = np.array(found).T
    return float(np.mean((low <= truth + 1e-12) & (truth - 1e-12 <= high))), float(np.mean(high - low))


def simulated_shares(n: int, trials: Trials, rng: np.random.Generator) -> str:
    covered = Covered()
    for rate, kind in itertools.product(RATES, KINDS):

        def drawn(number: int, rate: float = rate, kind: str = kind) -> Shares:
            return rng.binomial(COMPLETIONS, chances(kind, rate, (number, n), rng)) / COMPLETIONS

        values = drawn(trials.usual)
        for method, bounds in SEVERAL.items():
            share, width = measured([bounds(row, rng) for row in values[: trials.of(method)]], rate)
            if IN_USE in method and share < AIM + NEAR:
                share, width = measured([bounds(row, rng) for row in drawn(trials.again)], rate)
            covered.add(method, share, width, f"{rate:.0%}, {kind}")
    return table([*HEAD, "width, against Clopper-Pearson over problems"], covered.rows("Clopper-Pearson over problems"))


def simulated_differences(n: int, completions: int, trials: Trials, rng: np.random.Generator) -> str:
    covered = Covered()
    kinds = KINDS if completions > 1 else ("all alike", "apart", "all or nothing")
    methods = {name: bounds for name, bounds in DIFFERENCES.items() if completions == 1 or name != EXACT}
    for rate, kind, relation in itertools.product(RATES, kinds, RELATIONS):
        if relation == "10 points less" and rate < 0.2:
            continue

        def drawn(
            number: int, rate: float = rate, kind: str = kind, relation: str = relation
        ) -> tuple[float, list[tuple[Shares, Shares]]]:
            first = chances(kind, rate, (number, n), rng)
            other, truth = second(relation, first, kind, rate, rng)
            a, b = (rng.binomial(completions, of) / completions for of in (first, other))
            return truth, list(zip(a, b, strict=True))

        truth, pairs = drawn(trials.usual)
        for method, bounds in methods.items():
            share, width = measured([bounds(a, b, rng) for a, b in pairs[: trials.of(method)]], truth)
            if IN_USE in method and share < AIM + NEAR:
                share, width = measured([bounds(a, b, rng) for a, b in drawn(trials.again)[1]], truth)
            covered.add(method, share, width, f"{rate:.0%}, {kind}, {relation}")
    against = EXACT if completions == 1 else next(iter(DIFFERENCES))
    return table(
        [*HEAD, "width, against " + ("the exact" if completions == 1 else "that in use")], covered.rows(against)
    )


def widths() -> str:
    rows = []
    for n in SIZES:
        for successes in sorted({0, 1, round(0.05 * n), n // 4, n // 2}):
            bounds = [
                SINGLE[name](successes, n)
                for name in ("**Blaker, at 0 and at all Wilson if wider (in use)**", "Wilson", "Clopper-Pearson")
            ]
            cells = [f"[{100 * max(0.0, low):.2f}, {100 * min(1.0, high):.2f}]" for low, high in bounds]
            rows.append([f"{successes} of {n}", *cells])
    return table(["solved", "in use, %", "Wilson, %", "Clopper-Pearson (exact), %"], rows)


INTRODUCTION = """\
Made by `python benchmarks/intervals.py` (seed {seed}). 95 % intervals are to hold the truth at least 94 % of the \
time, at 20, 60, 164 and 500 problems, down to a true rate of 1 %. *At worst* is the least of all cases. Simulated \
figures are of {trials.usual:,} trials a case (standard error {error:.1f} points), those of the bootstraps of \
{trials.resampling:,} ({slow_error:.1f} points, {resamples:,} resamples). The least of some hundred such figures lies \
up to three errors below the truth by chance alone, so where an interval in use was less than {near:.1f} points above \
the aim, the case was simulated again with {trials.again:,} other trials ({again_error:.2f} points), and those count; \
the others' worst cases were not, so they are somewhat too low. The intervals in use were chosen among some ten each \
on the same kinds of problems, with other seeds: no kind was held out."""
UNEQUAL_SIZES = """\
As the share of degenerate completions has it, on which the verdict rests: all completions count alike, and problems \
have as many as were begun. The same rates and kinds of problems."""
ONE_COMPLETION = """\
Also any pass@k of as many completions as k. No simulation: the sum over all outcomes, at 1,961 true rates from 1 to \
99 %."""


def report(trials: Trials, seed: int) -> str:
    rng = np.random.default_rng(seed)
    error, slow_error, again_error = (
        100 * (0.95 * 0.05 / number) ** 0.5 for number in (trials.usual, trials.resampling, trials.again)
    )
    introduction = INTRODUCTION.format(
        seed=seed, trials=trials, error=error, slow_error=slow_error, resamples=RESAMPLES, near=100 * NEAR,
        again_error=again_error,
    )  # fmt: skip
    parts = ["# How honest the intervals are", introduction, "## pass@1, one completion a problem", ONE_COMPLETION]
    parts += [f"### {n} problems\n\n{singles(n)}" for n in SIZES]
    parts += ["### The intervals themselves", widths(), f"## pass@1, {COMPLETIONS} completions a problem"]
    parts += ["True rates of " + ", ".join(f"{rate:.0%}" for rate in RATES) + ", each with six kinds of problems:"]
    parts += ["\n".join(f"- *{kind}*: {meaning}" for kind, meaning in KINDS.items())]
    parts += [f"### {n} problems\n\n{simulated_shares(n, trials, rng)}" for n in SIZES]
    parts += of_completions(trials, seed)
    parts += ["## The difference of two checkpoints, paired by problem"]
    parts += ["\n".join(f"- *{relation}*: {meaning}" for relation, meaning in RELATIONS.items())]
    for completions in (1, COMPLETIONS):
        several = "one completion" if completions == 1 else f"{completions} completions"
        parts += [
            f"### {n} problems, {several} each\n\n{simulated_differences(n, completions, trials, rng)}" for n in SIZES
        ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--resampling-trials", type=int, default=200)
    parser.add_argument("--again", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unequal", action="store_true", help="print the part about shares of all completions")
    parser.add_argument("--out", type=Path, default=REPORT)
    arguments = parser.parse_args()
    begun = time.perf_counter()
    trials = Trials(arguments.trials, arguments.resampling_trials, arguments.again)
    if arguments.unequal:
        print("\n\n".join(of_completions(trials, arguments.seed)))
        return
    arguments.out.write_text(report(trials, arguments.seed), encoding="utf-8")
    print(f"{arguments.out}: {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
