"""The references of the known problem sets: every one passes, and an empty body never does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from evalharness.problems import mbpp, warmup
from evalharness.problems.humaneval import load as load_humaneval
from evalharness.records import Verdict
from evalharness.sandbox import Job, Limits, Sandbox, self_test

FULL = bool(os.environ.get("EVALHARNESS_FULL"))

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs can't be isolated on this system")


@pytest.fixture(scope="module")
def humaneval():
    return load_humaneval()


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


def outcomes(sandbox, problems, text):
    executions = list(sandbox.run(Job(p.task_id, 0, p, text(p)) for p in problems))
    assert [e for e in executions if e.verdict not in (Verdict.PASSED, Verdict.FAILED)] == []
    return Counter(e.verdict for e in executions)


def test_all_canonical_solutions_of_humaneval_pass(sandbox, humaneval):
    assert outcomes(sandbox, humaneval, lambda p: p.canonical_solution) == {Verdict.PASSED: 164}


def test_no_empty_body_of_humaneval_passes(sandbox, humaneval):
    assert outcomes(sandbox, humaneval, lambda p: "") == {Verdict.FAILED: 164}


def test_no_function_that_returns_nothing_of_humaneval_passes(sandbox, humaneval):
    assert outcomes(sandbox, humaneval, lambda p: "    return None\n") == {Verdict.FAILED: 164}


def test_all_canonical_solutions_of_warmup_pass(sandbox):
    assert outcomes(sandbox, warmup.load(), lambda p: p.canonical_solution) == {Verdict.PASSED: 60}


def test_no_empty_body_of_warmup_passes(sandbox):
    assert outcomes(sandbox, warmup.load(), lambda p: "") == {Verdict.FAILED: 60}


@pytest.fixture(scope="module")
def mbpp_problems(mbpp_file):
    """Every problem under EVALHARNESS_FULL=1, otherwise every fifth."""
    problems = mbpp.load({"mbpp": mbpp_file}, ids=mbpp.ALL_IDS)
    return [p for n, p in enumerate(problems) if FULL or n % 5 == 0]


@pytest.fixture(scope="module")
def with_own_classes(mbpp_file):
    """The problems whose tests build trees and pairs of classes that a program defines."""
    return mbpp.load({"mbpp": mbpp_file}, ids={367, 601, 927})


@pytest.fixture(scope="module")
def calibration(sandbox, with_own_classes):
    return sandbox.calibrate(with_own_classes, [])


@pytest.mark.slow
@pytest.mark.usefixtures("calibration")
def test_all_references_of_mbpp_pass(sandbox, mbpp_problems):
    assert outcomes(sandbox, mbpp_problems, lambda p: p.canonical_solution) == {Verdict.PASSED: len(mbpp_problems)}


def test_tests_that_build_a_programs_own_classes_are_judged_apart(sandbox, with_own_classes, calibration):
    assert (calibration.sharing, calibration.faults) == ({p.task_id for p in with_own_classes}, ())
    jobs = [Job(p.task_id, n, p, text) for p in with_own_classes for n, text in enumerate(("", p.canonical_solution))]
    verdicts = {(e.task_id, e.completion_id): (e.verdict, e.judged) for e in sandbox.run(jobs)}
    assert {v for (_, n), v in verdicts.items() if n == 1} == {(Verdict.PASSED, "apart")}
    assert {v for (_, n), v in verdicts.items() if n == 0} == {(Verdict.FAILED, "apart")}


@pytest.mark.slow
def test_no_empty_answer_to_mbpp_passes(sandbox, mbpp_problems):
    assert outcomes(sandbox, mbpp_problems, lambda p: "") == {Verdict.FAILED: len(mbpp_problems)}


def test_the_self_test_finds_this_machine_sound(sandbox, humaneval):
    result = self_test(sandbox, humaneval[:20])
    assert result.sound
    assert (result.problems, result.canonical_passed, result.empty_failed, result.faults) == (20, 20, 20, ())


def test_the_self_test_names_every_wrong_verdict(humaneval, golden_text):
    with Sandbox(limits=Limits(program_bytes=1), workers=1) as sandbox:
        result = self_test(sandbox, humaneval[:1])
    assert (result.sound, result.canonical_passed, result.empty_failed) == (False, 0, 1)
    (fault,) = result.faults
    golden_text(fault)


def test_a_self_test_of_nothing_is_not_sound(sandbox):
    assert not self_test(sandbox, []).sound


@pytest.fixture
def busy_machine():
    """Four loops that compute beside the test."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


@pytest.mark.slow
@pytest.mark.usefixtures("busy_machine")
def test_a_loaded_machine_gives_the_same_verdicts(humaneval):
    times = 5 if FULL else 1
    jobs = [Job(p.task_id, n, p, p.canonical_solution) for n in range(times) for p in humaneval]
    with Sandbox(deduplicate=False) as sandbox:
        executions = list(sandbox.run(jobs))
    assert [e for e in executions if e.verdict is not Verdict.PASSED] == []
    assert len(executions) == times * 164
