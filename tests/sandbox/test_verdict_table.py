from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from evalharness.records import Execution, Verdict
from evalharness.sandbox.limits import Limits
from evalharness.sandbox.program import Job
from evalharness.sandbox.verdicts import LONGEST_DETAIL, clean, execution, not_run, was_killed_from_outside

LIMITS = Limits(wall_s=2, cpu_s=1, memory_bytes=64 << 20, disk_bytes=8 << 20, disk_files=5, output_bytes=10)


def judged(add, verdict, detail="", **seen):
    reply = {"verdict": verdict, "detail": detail, "exit_code": -9, "cpu_s": 0.1, "peak_memory_kib": 0, "wall_s": 0.2}
    return execution(Job("add", 3, add, ""), reply | seen, LIMITS)


@pytest.mark.parametrize(
    ("said", "verdict", "detail"),
    [
        ("passed", "passed", ""),
        ("wall", "timed_out", "ran for more than 2 s"),
        ("cpu", "timed_out", "used more than 1 s of CPU time"),
        ("memory", "out_of_memory", "used more than 64 MiB"),
        ("output", "output_limit", "printed more than 10 bytes"),
        ("disk", "failed", "left more than 8 MiB or 5 files"),
    ],
)
def test_what_a_worker_says_becomes_a_verdict(add, said, verdict, detail):
    done = judged(add, said)
    assert (done.verdict, done.detail, done.judged) == (verdict, detail, "apart")


def test_a_failure_has_the_workers_detail(add, golden_text):
    golden_text(judged(add, "failed", "KeyError: 'x'\n(line 7)").detail)


def test_a_problem_judged_in_process_says_so(add):
    assert judged(replace(add, judged="in_process"), "passed").judged == "in_process"


def test_what_was_not_judged_was_not_run(add):
    done = judged(add, "not_judged", "the problem has no tests")
    assert (done.verdict, done.detail, done.judged) == (Verdict.NOT_JUDGED, "the problem has no tests", "not_run")


@pytest.mark.parametrize(
    ("seen", "verdict", "detail"),
    [
        ({"exit_code": -signal.SIGSEGV}, "crashed", "SIGSEGV"),
        ({"exit_code": -signal.SIGABRT}, "crashed", "SIGABRT"),
        ({"exit_code": -60}, "crashed", "signal 60"),
        ({"exit_code": -signal.SIGXCPU}, "timed_out", "used more than 1 s of CPU time"),
        ({"exit_code": -signal.SIGKILL, "cpu_s": 1.1}, "timed_out", "used more than 1 s of CPU time"),
        (
            {"exit_code": -signal.SIGKILL, "peak_memory_kib": 63 << 10},
            "out_of_memory",
            "was killed when the machine had no memory left",
        ),
        ({"exit_code": -signal.SIGKILL}, "crashed", "SIGKILL"),
    ],
)
def test_a_signal_is_a_crash_unless_a_limit_explains_it(add, seen, verdict, detail):
    done = judged(add, "signal", **seen)
    assert (done.verdict, done.detail) == (verdict, detail)


@pytest.mark.parametrize(
    ("reply", "outside"),
    [
        ({"verdict": "signal", "exit_code": -9}, True),
        ({"verdict": "signal", "exit_code": -11}, False),
        ({"verdict": "cpu", "exit_code": -9}, False),
        ({"verdict": "failed", "exit_code": -9}, False),
        ({"lost": "the zygote is gone", "begun": True}, False),
    ],
)
def test_only_an_unasked_kill_came_from_outside(reply, outside):
    assert was_killed_from_outside(reply) is outside


def test_a_program_over_its_cpu_time_has_not_passed_though_it_ended(add):
    assert judged(add, "passed", cpu_s=1.01).verdict is Verdict.TIMED_OUT
    assert judged(add, "passed", cpu_s=1.0).verdict is Verdict.PASSED


def test_an_execution_has_what_was_used(add):
    done = judged(add, "passed", peak_memory_kib=7, cpu_s=0.25, wall_s=0.5)
    assert done == Execution("add", 3, Verdict.PASSED, "", "apart", 0.5, 0.25, 7 << 10)


def test_a_worker_that_said_nothing_of_what_was_used_is_no_matter(add):
    done = execution(Job("add", 0, add, ""), {"verdict": "wall", "detail": "", "wall_s": 2.1}, LIMITS)
    assert (done.wall_s, done.cpu_s, done.peak_memory_bytes) == (2.1, 0.0, 0)


def test_what_was_never_run_used_nothing(add):
    done = not_run(Job("add", 3, add, ""), Verdict.FAILED, "too\nlarge")
    assert done == Execution("add", 3, Verdict.FAILED, "too large", "not_run", 0.0, 0.0, 0)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]0;title without end", ""),
        ("a\tb\r\nc\0d", "a b c d"),
        ("\u202eright to left\u2069", "right to left"),
        ("one\u2028line", "one line"),
        ("\ud800", ""),
        ("x" * 1000, "x" * (LONGEST_DETAIL - 1) + "…"),
    ],
)
def test_details_are_one_safe_line(text, cleaned):
    assert clean(text) == cleaned


def test_on_a_slower_machine_both_times_are_longer_and_nothing_else():
    assert LIMITS.slower(4) == replace(LIMITS, wall_s=8, cpu_s=4)
