"""HumanEval+ and MBPP+ beside EvalPlus itself: the same verdicts, and how long each takes for them.

``python benchmarks/plus.py PYTHON SET FILE…``: ``PYTHON`` is an interpreter that has ``evalplus`` 0.3.1, ``SET`` is
``humaneval+`` or ``mbpp+``, and each ``FILE`` has completions of every problem, or is ``canonical`` or ``mutated``: the
canonical solutions as they are, or with one operator or number changed in each. ``EVALHARNESS_HUMANEVAL_PLUS`` or
``EVALHARNESS_MBPP_PLUS`` names the file of the set. What the canonical solutions answer is computed before, and not
timed. ``--every N`` takes each N-th problem. Both use two processes. Seconds are by
the clock, so nothing else should run; the CPU time of killed workers' programs is not to be had. Each completion about
which the two disagree is listed.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tables import table

from evalharness.problems import load_problems
from evalharness.problems.human_eval_form import read_text
from evalharness.settings.environment import variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import Problem

SEED, WORKERS = 0, "2"
DATASETS = {"humaneval+": ("humaneval", "HUMANEVAL"), "mbpp+": ("mbpp", "MBPP")}
"""By our name of a set: EvalPlus's, and how its variables begin."""
ANSWERS = """
from evalplus import evaluate as e
humaneval = {dataset!r} == "humaneval"
problems = e.get_human_eval_plus() if humaneval else e.get_mbpp_plus()
digest = e.get_human_eval_plus_hash() if humaneval else e.get_mbpp_plus_hash()
e.get_groundtruth(problems, digest, [] if humaneval else e.MBPP_OUTPUT_NOT_NONE_TASKS)
"""
OPPOSITES: Mapping[type[ast.AST], type[Any]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
}
Verdicts = dict[tuple[str, int], tuple[bool, bool]]
"""Whether the base tests and whether all tests are passed, by task and the completion's number in it."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one of the two said of a file, and what that took."""

    verdicts: Verdicts
    wall_s: float


@dataclass(frozen=True, slots=True)
class Rival:
    """EvalPlus, on one set. ``folder`` keeps what its canonical solutions answer."""

    python: str
    problems: str
    folder: Path

    def prepare(self) -> None:
        """Have the canonical solutions answer."""
        self._run("-c", ANSWERS.format(dataset=DATASETS[self.problems][0]))

    def judge(self, file: Path) -> Run:
        """Judge a file."""
        results = file.with_name(f"{file.stem}_eval_results.json")
        results.unlink(missing_ok=True)
        arguments = (DATASETS[self.problems][0], "--samples", str(file), "--parallel", WORKERS)
        wall_s = self._run("-m", "evalplus.evaluate", *arguments)
        found = json.loads(results.read_text())["eval"]
        verdicts = {
            (task, number): (row["base_status"] == "pass", row["base_status"] == row["plus_status"] == "pass")
            for task, rows in found.items()
            for number, row in enumerate(rows)
        }
        return Run(verdicts, wall_s)

    def _run(self, *arguments: str) -> float:
        own = {
            f"{DATASETS[self.problems][1]}_OVERRIDE_PATH": str(self.folder / "problems.jsonl"),
            "XDG_CACHE_HOME": str(self.folder),
        }
        return timed([self.python, *arguments], os.environ | own)


def ours(problems: str, file: Path) -> Run:
    """Judge a file with ``evalharness execute``."""
    command = [sys.executable, "-m", "evalharness", "execute", str(file), "--problems", problems, "--k", "1"]
    command += ["--extract", "never"]  # as EvalPlus does
    wall_s = timed([*command, "--workers", WORKERS], os.environ)
    rows = map(json.loads, file.with_name(f"{file.name}_results.jsonl").read_text().splitlines())
    verdicts: Verdicts = {}
    for row in rows:
        number = sum(task == row["task_id"] for task, _ in verdicts)
        verdicts[row["task_id"], number] = (row["base_passed"], row["passed"])
    return Run(verdicts, wall_s)


def timed(command: list[str], environment: Mapping[str, str]) -> float:
    """The seconds that a command takes, by the clock."""
    started_s = time.monotonic()
    subprocess.run(command, env=environment, check=False, capture_output=True)
    return time.monotonic() - started_s


def made(name: str, problems: Sequence[Problem]) -> Iterator[dict[str, str]]:
    """Yield the canonical solutions, or mutants of them, as rows."""
    numbers = random.Random(SEED)
    for problem in problems:
        text = problem.prompt + problem.canonical_solution
        yield {"task_id": problem.task_id, "solution": mutant(text, numbers) if name == "mutated" else text}


def mutant(text: str, numbers: random.Random) -> str:
    """A program with one operator or whole number changed."""
    tree = ast.parse(text)
    places = [node for node in ast.walk(tree) if type(node) in OPPOSITES or _is_number(node)]
    if places:
        chosen = numbers.choice(places)
        if isinstance(chosen, ast.Constant):
            chosen.value = chosen.value + 1  # type: ignore[operator]
        else:
            _replace(tree, chosen, OPPOSITES[type(chosen)]())
    return ast.unparse(tree)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    """Operators are one object wherever they stand: the first place that has it is changed."""
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            if value is old:
                setattr(node, field, new)
                return
            if isinstance(value, list) and old in value:
                value[value.index(old)] = new
                return


def _copied(name: str, folder: Path, problems: Sequence[Problem]) -> Path:
    """The completions of these problems as plain JSONL in ``folder``."""
    file = folder / f"{Path(name).name.partition('.')[0]}.jsonl"
    if name in ("canonical", "mutated"):
        file.write_text("".join(json.dumps(row) + "\n" for row in made(name, problems)))
    else:
        content = Path(name).read_bytes()
        rows = (gzip.decompress(content) if name.endswith(".gz") else content).decode().splitlines(keepends=True)
        known = {problem.task_id for problem in problems}
        file.write_text("".join(row for row in rows if json.loads(row)["task_id"] in known))
    return file


def _row(name: str, mine: Run, theirs: Run) -> tuple[str, ...]:
    base, whole = (sum(verdict[i] for verdict in mine.verdicts.values()) for i in (0, 1))
    return (
        name,
        f"{base} and {whole} of {len(mine.verdicts)}",
        f"{theirs.wall_s:.1f} s",
        f"{mine.wall_s:.1f} s",
        f"{theirs.wall_s / mine.wall_s:.1f}",
    )


def _data(problems: str) -> Path:
    """The local file of the set."""
    return Path(os.environ[variable(problems)])


def main() -> None:
    """Print the table and the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python")
    parser.add_argument("problems", choices=DATASETS)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--every", type=int, default=1)
    asked = parser.parse_args()
    lines = read_text(_data(asked.problems)).splitlines(keepends=True)
    rows, differences = [], []
    with tempfile.TemporaryDirectory() as name:
        rival = Rival(asked.python, asked.problems, Path(name))
        data = rival.folder / "problems.jsonl"
        data.write_text("".join(lines[:: asked.every]))
        os.environ[variable(asked.problems)] = str(data)  # for both
        problems = load_problems(asked.problems, environment=os.environ).problems
        rival.prepare()
        ours(asked.problems, _copied("canonical", rival.folder, problems))
        for file in (_copied(each, rival.folder, problems) for each in asked.files):
            mine, theirs = ours(asked.problems, file), rival.judge(file)
            rows.append(_row(file.stem, mine, theirs))
            differences += [
                f"{file.stem}, {key}: {verdict} here, {theirs.verdicts.get(key)} there"
                for key, verdict in mine.verdicts.items()
                if verdict != theirs.verdicts.get(key)
            ]
    heads = ("completions", "pass base tests and all", "EvalPlus", "evalharness", "times as fast")
    sys.stdout.write("\n".join([table(heads, rows), *differences]) + "\n")


if __name__ == "__main__":
    main()
