"""How fast two Ray actors judge programs, beside the local pool with two workers, in one run.

    python benchmarks/ray_judging.py [--programs N] [--rounds N]

Both judge HumanEval's canonical solutions, each made different from the others by a comment, on the same machine with
the same walls and limits. They take turns. A rate counts from the first results that arrive to the last, so starting
processes and measuring limits is not in it; how long the first results took is said beside it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from evalharness.pipeline.judges import Judges, SandboxChoice, own_judges
from evalharness.pipeline.spreading.ray_cluster import cluster
from evalharness.pipeline.spreading.ray_judges import ray_judges
from evalharness.problems import load_problems
from evalharness.progress import Silent
from evalharness.sandbox import Job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.records import Problem

WORKERS = 2
UNIQUE = count()


@dataclass(frozen=True)
class Turn:
    """``per_s`` programs after the first results, which came after ``first_s``."""

    per_s: float
    first_s: float


def jobs(problems: tuple[Problem, ...], programs: int) -> Iterator[tuple[int, Job]]:
    for number in range(programs):
        problem = problems[number % len(problems)]
        text = f"{problem.canonical_solution}\n# {next(UNIQUE)}\n"
        yield number, Job(problem.task_id, number, problem, text)


def turn(judges: Judges, problems: tuple[Problem, ...], programs: int) -> Turn:
    begun = time.perf_counter()
    arrived = []
    for ruling in judges.run(jobs(problems, programs)):
        assert ruling.execution.verdict == "passed", ruling.execution
        arrived.append(time.perf_counter() - begun)
    assert len(arrived) == programs
    together = sum(at - arrived[0] < 0.02 for at in arrived)  # an actor hands over a portion at once
    return Turn((programs - together) / (arrived[-1] - arrived[0]), arrived[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--programs", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    problems = load_problems("humaneval", paths={}, environment={}).problems
    here, there = (SandboxChoice(workers, "auto", ()) for workers in (WORKERS, None))
    with (
        cluster("local"),
        own_judges(here, problems, Silent()) as pool,
        ray_judges("auto", there, problems, Silent(), asked.programs) as actors,
    ):
        turns = [[turn(judges, problems, asked.programs) for judges in (pool, actors)] for _ in range(asked.rounds)]
    for name, made in zip(("local pool", "Ray actors"), zip(*turns, strict=True), strict=True):
        rate, first_s = (statistics.median(getattr(t, field) for t in made) for field in ("per_s", "first_s"))
        print(f"{name}: {rate:.0f} programs a second, the first results after {first_s:.1f} s")
    ratios = [actors.per_s / pool.per_s for pool, actors in turns]
    print(f"ratio: {statistics.median(ratios):.3f} (rounds: {', '.join(f'{ratio:.3f}' for ratio in ratios)})")


if __name__ == "__main__":
    main()
