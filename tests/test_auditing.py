"""``audit`` on problems whose tests are known to be weak."""

import csv
import json

import pytest
from small_folder import Run

from evalharness.errors import ProblemError
from evalharness.pipeline.auditing import AuditedProblem, audit_problems
from evalharness.progress import Silent

PLUS = {
    "task_id": "HumanEval/7",
    "prompt": "def double(number):\n",
    "entry_point": "double",
    "canonical_solution": "    return number * 2\n",
    "base_input": [[2]],
    "plus_input": [[3]],
    "atol": 0,
    "contract": "",
}
OWN = {
    "task_id": "own/0",
    "prompt": "def sign(number):\n",
    "entry_point": "sign",
    "canonical_solution": "    return 1 if number > 0 else -1\n",
    "test": "def check(f):\n    assert f(5) == 1\n",
}


def written(folder, row):
    file = folder / "problems.jsonl"
    file.write_text(json.dumps(row) + "\n")
    return str(file)


def test_wrong_programs_that_pass_the_base_tests_are_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    audit = audit_problems(written(tmp_path, PLUS), out=tmp_path, workers=1)
    rows = [json.loads(line) for line in audit.results.read_text().splitlines()]
    plus_two = next(row for row in rows if "number + 2" in row["solution"])
    assert (plus_two["base_passed"], plus_two["passed"], plus_two["mutation"]) == (True, False, "operator")
    assert audit.problems == (AuditedProblem("HumanEval/7", len(rows), len(rows), 1, 0, 0),)
    assert audit.wrong_pass_base.estimate == 1 / len(rows)


def test_programs_that_pass_all_tests_are_undecided(tmp_path):
    audit = audit_problems(written(tmp_path, OWN), out=tmp_path, workers=1, mutants=100)
    rows = {row["solution"]: row["passed"] for row in map(json.loads, audit.results.read_text().splitlines())}
    assert {text.splitlines()[-1].strip() for text, passed in rows.items() if passed} == {
        "return 1 if number >= 0 else -1",
        "return 1 if number > 1 else -1",
        "return 1 if number > -1 else -1",
        "return 1 if True else -1",
        "return 1 if number > 0 else 1",
        "return 1 if number > 0 else -2",
        "return 1 if number > 0 else -0",
    }
    (problem,) = audit.problems
    assert (problem.wrong, problem.undecided, problem.wrong_pass_base) == (len(rows) - 7, 7, None)
    assert audit.wrong_pass_base is None


class Impatient(Silent):
    """Interrupts after some programs, and keeps how many there were to judge."""

    def __init__(self, patience):
        self.left = patience
        self.total = 0

    def stage(self, name, total):
        self.total = total

    def advance(self):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_interrupted_it_goes_on(tmp_path):
    problems = written(tmp_path, OWN)
    first = Impatient(3)
    with pytest.raises(KeyboardInterrupt):
        audit_problems(problems, out=tmp_path, workers=1, watcher=first)
    again = Impatient(1000)
    audit = audit_problems(problems, out=tmp_path, workers=1, watcher=again)
    assert again.total == first.total - 3
    assert audit.problems[0].mutants == first.total


def test_a_set_without_solutions_is_refused_before_anything_is_judged(tmp_path, golden_text):
    with pytest.raises(ProblemError) as error:
        audit_problems(written(tmp_path, {**OWN, "canonical_solution": ""}), out=tmp_path)
    golden_text(error)


def test_the_command_prints_lines_json_and_csv(run: Run, model_folder, golden_text):
    written(model_folder, OWN)
    told = [run("audit", "mine/problems.jsonl", "--out", "mine", *form) for form in ((), ("--json",), ("--csv",))]
    assert [done.returncode for done in told] == [0, 0, 0], told
    golden_text("\n".join(told[0].stdout.splitlines()[:3]))
    (row,) = csv.DictReader(told[2].stdout.splitlines())
    as_json = json.loads(told[1].stdout)
    assert int(row["undecided"]) == as_json["problems"][0]["undecided"] > 0
    assert [file.name for file in model_folder.glob("audit_*")] == ["audit_problems.jsonl"]
