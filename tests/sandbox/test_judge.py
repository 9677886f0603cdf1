from __future__ import annotations

import signal

import pytest

from evalharness.records import Verdict
from evalharness.sandbox.child import Ending
from evalharness.sandbox.judge import LONGEST_DETAIL, clean, judge
from evalharness.sandbox.limits import Limits

TOKEN = b"0123"
LIMITS = Limits(wall_s=2, cpu_s=1, memory_bytes=64 << 20, processes=3, output_bytes=10)


def ending(report=b"", *, cause="ended", exit_code=0, cpu_s=0.1, peak_memory_bytes=0, messages=b""):
    return Ending(cause, report, TOKEN, messages, exit_code, 0.1, cpu_s, peak_memory_bytes)


@pytest.mark.parametrize(
    ("report", "verdict", "detail"),
    [
        (b"ready 8\n0123 passed 9 0 \n", "passed", ""),
        (b"ready 8\n0123 failed 9 7 KeyError: 'x'\n", "failed", "KeyError: 'x' (line 7)"),
        (b"ready 8\n0123 failed 9 0 KeyError\n", "failed", "KeyError"),
        (b"ready 8\n0123 exited 9 3 \n", "failed", "exited before the tests finished (line 3)"),
        (b"ready 8\n0123 memory 9 3 \n", "out_of_memory", "used more than 64 MiB (line 3)"),
        (b"ready 8\n", "failed", "exited before the tests finished (exit status 0)"),
        (b"ready 8\n9999 passed 9 0 \n", "failed", "wrote into the harness's own pipe"),
        (b"ready 8\npassed\n0123 passed 9 0 \n", "failed", "wrote into the harness's own pipe"),
        (b"ready 8\n0123 passed 9 0 \nmore", "failed", "wrote into the harness's own pipe"),
        (b"ready 8\n0123", "failed", "wrote into the harness's own pipe"),
        (b"ready 8\n\xff\0\n", "failed", "wrote into the harness's own pipe"),
        (b"0123 passed 9 0 \n", "not_judged", "the interpreter did not start and ended with status 0"),
        (b"", "not_judged", "the interpreter did not start and ended with status 0"),
    ],
)
def test_only_the_token_is_believed(report, verdict, detail):
    judgement = judge(ending(report), LIMITS)
    assert (judgement.verdict, judgement.detail) == (verdict, detail)


@pytest.mark.parametrize(
    ("seen", "verdict", "detail"),
    [
        ({"cause": "wall"}, "timed_out", "ran for more than 2 s"),
        ({"cause": "cpu"}, "timed_out", "used more than 1 s of CPU time"),
        ({"cause": "memory"}, "out_of_memory", "used more than 64 MiB"),
        ({"cause": "processes"}, "failed", "started more than 3 processes"),
        ({"cause": "output"}, "output_limit", "printed more than 10 bytes"),
        ({"cause": "channel"}, "failed", "wrote into the harness's own pipe"),
        ({"exit_code": -signal.SIGXCPU}, "timed_out", "used more than 1 s of CPU time"),
        ({"exit_code": -signal.SIGKILL, "cpu_s": 1.1}, "timed_out", "used more than 1 s of CPU time"),
        ({"exit_code": -signal.SIGKILL, "peak_memory_bytes": 63 << 20}, "out_of_memory", "used more than 64 MiB"),
        ({"exit_code": -signal.SIGKILL}, "crashed", "SIGKILL"),
        ({"exit_code": -signal.SIGSEGV}, "crashed", "SIGSEGV"),
        ({"exit_code": -60}, "crashed", "signal 60"),
    ],
)
def test_what_ends_a_program_without_a_report(seen, verdict, detail):
    judgement = judge(ending(b"ready 8\n", **seen), LIMITS)
    assert (judgement.verdict, judgement.detail) == (verdict, detail)


def test_an_interpreter_that_can_not_start_is_not_judged_and_says_why():
    judgement = judge(ending(messages=b"Fatal Python error: \x1b[1mno encodings\nmore"), LIMITS)
    assert judgement.verdict is Verdict.NOT_JUDGED
    assert judgement.detail.endswith(": Fatal Python error: no encodings")


def test_the_peak_is_the_highest_that_anybody_saw():
    assert judge(ending(b"ready 8\n0123 passed 9 0 \n"), LIMITS).peak_memory_bytes == 9 << 10
    assert judge(ending(b"ready 8\n", peak_memory_bytes=5), LIMITS).peak_memory_bytes == 8 << 10


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("a\tb\r\nc\0d", "a b c d"),
        ("\u202eright to left", "right to left"),
        ("\ud800", ""),
        ("x" * 1000, "x" * (LONGEST_DETAIL - 1) + "…"),
    ],
)
def test_details_are_one_safe_line(text, cleaned):
    assert clean(text) == cleaned
