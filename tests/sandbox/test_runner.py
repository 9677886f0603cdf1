from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evalharness.errors import SandboxError
from evalharness.records import Verdict
from evalharness.sandbox import Job, Limits, Sandbox

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

RIGHT, WRONG = "    return a + b\n", "    return a - b\n"


def test_every_job_has_its_execution(add, sandbox):
    jobs = [Job("add", n, add, (RIGHT if n % 3 else WRONG) + f"    # {n}\n") for n in range(12)]
    executions = {e.completion_id: e.verdict for e in sandbox.run(jobs)}
    assert executions == {n: Verdict.PASSED if n % 3 else Verdict.FAILED for n in range(12)}


def test_identical_programs_are_run_once(add, sandbox):
    executions = list(sandbox.run(Job("add", n, add, RIGHT if n % 2 else WRONG) for n in range(20)))
    assert sandbox.distinct_programs == 2
    assert sorted(e.completion_id for e in executions) == list(range(20))
    assert {(e.completion_id % 2, e.verdict) for e in executions} == {(0, "failed"), (1, "passed")}
    assert len({(e.verdict, e.detail, e.wall_s) for e in executions}) == 2


def test_identical_programs_are_run_once_over_several_runs(add, sandbox):
    first, second = (next(sandbox.run([Job("add", n, add, RIGHT)])) for n in (0, 1))
    assert (sandbox.distinct_programs, first.wall_s, second.completion_id) == (1, second.wall_s, 1)


def test_jobs_are_taken_as_workers_become_free(add, sandbox):
    taken = []

    def jobs():
        for n in range(100):
            taken.append(n)
            yield Job("add", n, add, f"{RIGHT}    # {n}\n")

    next(iter(sandbox.run(jobs())))
    assert len(taken) <= 4


def test_results_come_as_they_end(add, sandbox):
    slow = "    import time; time.sleep(1)\n    return a + b\n"
    assert [e.completion_id for e in sandbox.run([Job("add", 0, add, slow), Job("add", 1, add, RIGHT)])] == [1, 0]


@pytest.mark.parametrize("interpreter", ["/nonexistent/python", "/dev/null", "/bin/false", ""])
def test_an_interpreter_that_does_not_start_gives_not_judged(add, interpreter):
    with Sandbox(interpreter=interpreter, workers=1) as sandbox:
        executions = list(sandbox.run([Job("add", n, add, RIGHT) for n in range(2)]))
    assert [(e.verdict, e.judged) for e in executions] == [(Verdict.NOT_JUDGED, "not_run")] * 2
    assert executions[0].detail


@pytest.mark.parametrize(
    "error", [BlockingIOError(11, "no processes"), OSError(28, "no space"), ZeroDivisionError("?")]
)
def test_trouble_of_the_harness_is_not_judged_and_is_tried_again(add, sandbox, monkeypatch, error):
    def fail(*_args, **_settings):
        raise error

    monkeypatch.setattr("evalharness.sandbox.child.spawn", fail)
    (execution,) = sandbox.run([Job("add", 0, add, RIGHT)])
    assert execution.verdict is Verdict.NOT_JUDGED
    assert str(error) in execution.detail
    assert sandbox.distinct_programs == 0
    monkeypatch.undo()
    (execution,) = sandbox.run([Job("add", 0, add, RIGHT)])
    assert execution.verdict is Verdict.PASSED


def test_a_thread_that_can_not_be_started_is_not_judged(add, sandbox, monkeypatch):
    def fail(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", fail)
    (execution,) = sandbox.run([Job("add", 0, add, RIGHT)])
    assert (execution.verdict, execution.detail) == (Verdict.NOT_JUDGED, "RuntimeError: can't start new thread")


def test_a_program_that_used_more_memory_than_its_limit_has_not_passed(add):
    with Sandbox(limits=Limits(memory_bytes=1 << 20), workers=1) as sandbox:
        (execution,) = sandbox.run([Job("add", 0, add, RIGHT)])
    assert execution.verdict in {Verdict.OUT_OF_MEMORY, Verdict.NOT_JUDGED}


def test_running_outside_the_with_block_is_an_error(add):
    with pytest.raises(SandboxError, match="with block"):
        next(Sandbox().run([Job("add", 0, add, RIGHT)]))


def test_no_temporary_folder_is_a_sandbox_error(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    with pytest.raises(SandboxError, match="no folder to run programs in"), Sandbox():
        pass


def test_stopping_early_kills_what_still_runs(add, nothing_left):
    with Sandbox(workers=2) as sandbox:
        executions = sandbox.run([Job("add", 0, add, RIGHT), Job("add", 1, add, "    import time; time.sleep(60)\n")])
        assert next(executions).completion_id == 0
        started_s = time.monotonic()
        executions.close()
        assert time.monotonic() - started_s < 5


def test_no_descriptor_is_left_open(add):
    def descriptors():
        return len(list(Path("/dev/fd").iterdir()))

    before = descriptors()
    with Sandbox(workers=2) as sandbox:
        list(sandbox.run(Job("add", n, add, f"{RIGHT}    # {n}\n") for n in range(10)))
    assert descriptors() == before


def test_limits_must_be_above_zero():
    with pytest.raises(ValueError, match="cpu_s is 0, processes is -1"):
        Limits(cpu_s=0, processes=-1)


HARNESS = """
import sys, tempfile
from evalharness.records import Problem
from evalharness.sandbox import Job, Sandbox
tempfile.tempdir = sys.argv[1]
body = "    import os, time\\n    os.fork()\\n    open('started', 'w').close()\\n    time.sleep(60)\\n"
problem = Problem("sleep", "def f():\\n", "f", "", "def check(f): f()\\n")
with Sandbox(workers=2) as sandbox:
    list(sandbox.run(Job("sleep", n, problem, body + f"    # {n}\\n") for n in range(4)))
"""


@linux_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_an_interrupted_or_killed_harness(tmp_path, number, processes_of):
    with subprocess.Popen([sys.executable, "-c", HARNESS, tmp_path], stderr=subprocess.DEVNULL) as harness:
        _wait_for(lambda: len(list(tmp_path.glob("*/*/started"))) == 2)
        assert len(processes_of(tmp_path)) > 2
        os.kill(harness.pid, number)
        harness.wait(timeout=20)
    _wait_for(lambda: processes_of(tmp_path) == [])
    if number == signal.SIGINT:
        assert list(tmp_path.iterdir()) == []


def _wait_for(condition, timeout_s=20.0):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
