from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from signals import started

from evalharness.errors import SandboxError
from evalharness.records import Verdict
from evalharness.sandbox import Job, Limits, Sandbox, clocks, execute_one, usable_cores
from evalharness.sandbox.levels import Ground
from evalharness.sandbox.worker import WorkerDied

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs can't be isolated on this system")

RIGHT, WRONG = "    return a + b\n", "    return a - b\n"
SLEEP = "    import time\n    if a == 2: time.sleep({})\n    return a + b\n"


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_job_has_its_execution(add, tight, workers):
    jobs = [Job("add", n, add, (RIGHT if n % 3 else WRONG) + f"    # {n}\n") for n in range(12)]
    with Sandbox(limits=tight, workers=workers) as sandbox:
        executions = {e.completion_id: e.verdict for e in sandbox.run(jobs)}
    assert executions == {n: Verdict.PASSED if n % 3 else Verdict.FAILED for n in range(12)}


def test_no_jobs_give_no_executions(sandbox):
    assert list(sandbox.run([])) == []


def test_there_is_a_worker_for_each_core():
    assert Sandbox().workers == usable_cores() >= 1


@pytest.mark.skipif(usable_cores() < 2, reason="needs two cores")
@pytest.mark.parametrize("spare", [0, 1])
def test_workers_stay_on_a_core_each_only_if_there_is_one_for_every_core(add, tight, spare):
    asks = replace(add, test="def check(candidate):\n    assert candidate(0, 0) == [candidate(0, 0)[0]]\n")
    body = "    import os\n    return sorted(os.sched_getaffinity(0))\n"
    with Sandbox(limits=tight, workers=usable_cores() - spare) as sandbox:
        executions = sandbox.run(Job("add", n, asks, body + f"    # {n}\n") for n in range(4))
        alone = {execution.verdict == Verdict.PASSED for execution in executions}
    assert alone == {spare == 0}


def test_identical_programs_are_run_once(add, sandbox):
    executions = list(sandbox.run(Job("add", n, add, RIGHT if n % 2 else WRONG) for n in range(20)))
    assert sandbox.distinct_programs == 2
    assert sorted(e.completion_id for e in executions) == list(range(20))
    assert {(e.completion_id % 2, e.verdict) for e in executions} == {(0, "failed"), (1, "passed")}
    assert len({(e.verdict, e.detail, e.wall_s) for e in executions}) == 2


def test_identical_programs_are_run_once_over_several_runs(add, sandbox):
    first, second = (next(sandbox.run([Job("add", n, add, RIGHT)])) for n in (0, 1))
    assert (sandbox.distinct_programs, first.wall_s, second.completion_id) == (1, second.wall_s, 1)


def test_an_identical_program_is_given_under_its_own_names(add, sandbox):
    jobs = [Job("add", 0, add, RIGHT), Job("other", 1, replace(add, task_id="other"), RIGHT)]
    assert {(e.task_id, e.completion_id) for e in sandbox.run(jobs)} == {("add", 0), ("other", 1)}
    assert sandbox.distinct_programs == 1


def test_identical_programs_are_each_run_where_that_is_asked_for(add, tight):
    job = Job("add", 0, add, RIGHT)
    with Sandbox(limits=tight, workers=2, deduplicate=False) as sandbox:
        executions = list(sandbox.run([job, job, Job("add", 1, add, RIGHT), job]))
        assert sandbox.distinct_programs == 4
    assert sorted(e.completion_id for e in executions) == [0, 0, 0, 1]
    assert len({e.wall_s for e in executions}) > 1


def test_jobs_are_taken_as_workers_become_free(add, sandbox):
    taken = []

    def jobs():
        for n in range(100):
            taken.append(n)
            yield Job("add", n, add, f"{RIGHT}    # {n}\n")

    next(iter(sandbox.run(jobs())))
    # Two workers, each with one under way and one sent ahead, and those in whose place others were taken.
    assert len(taken) <= 8


def test_results_come_as_they_end(add, sandbox):
    list(sandbox.run(Job("add", n, add, f"{RIGHT}    # {n}\n") for n in range(2)))  # now both workers are there
    jobs = [Job("add", 0, add, SLEEP.format(2)), Job("add", 1, add, RIGHT)]
    assert [e.completion_id for e in sandbox.run(jobs)] == [1, 0]


def test_one_worker_keeps_the_order(add, tight):
    with Sandbox(limits=tight, workers=1) as sandbox:
        executions = list(sandbox.run(Job("add", n, add, f"{RIGHT}    # {n}\n") for n in range(20)))
    assert [e.completion_id for e in executions] == list(range(20))


def test_an_error_of_the_jobs_is_the_callers(add, sandbox):
    def jobs():
        yield Job("add", 0, add, RIGHT)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(sandbox.run(jobs()))
    assert next(sandbox.run([Job("add", 1, add, WRONG)])).verdict is Verdict.FAILED


def test_running_outside_the_with_block_is_an_error(add, golden_text):
    with pytest.raises(SandboxError) as error:
        next(Sandbox().run([Job("add", 0, add, RIGHT)]))
    golden_text(error)


def test_a_sandbox_can_be_entered_again(add, tight, nothing_left):
    sandbox = Sandbox(limits=tight, workers=1)
    for body in (RIGHT, WRONG):
        with sandbox:
            assert next(sandbox.run([Job("add", 0, add, body)])).judged == "apart"


def test_one_completion_can_be_run_alone(add, tight, nothing_left):
    execution = execute_one(add, RIGHT, tight)
    assert (execution.task_id, execution.completion_id, execution.verdict) == ("add", 0, Verdict.PASSED)


def test_no_temporary_folder_is_a_sandbox_error(monkeypatch, golden_text):
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    with pytest.raises(SandboxError) as error, Sandbox():
        pass
    golden_text(error, {r"evalharness-\w+": "evalharness-<random>"})


@pytest.mark.parametrize("interpreter", ["/nonexistent/python", "/bin/false"])
def test_an_interpreter_that_does_not_start_is_an_error_on_entering(nothing_left, interpreter):
    with pytest.raises(SandboxError, match=interpreter), Sandbox(interpreter=interpreter):
        pass


def test_a_folder_that_can_not_be_filled_is_an_error_on_entering(nothing_left, monkeypatch, golden_text):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("evalharness.sandbox.levels.copied_root", full)
    with pytest.raises(SandboxError) as error, Sandbox(level="B"):
        pass
    golden_text(error)


def test_a_worker_that_can_not_be_started_in_the_middle_is_not_the_programs_failure(
    add, sandbox, monkeypatch, golden_text
):
    seat = sandbox._crew.seats[0]
    seat.worker.kill()
    seat.worker = None

    def refuse(*_):
        raise SandboxError("a worker can't be started: [Errno 11] no processes")

    monkeypatch.setattr(Ground, "start", refuse)
    (execution,) = sandbox.run([Job("add", 0, add, RIGHT)])
    assert (execution.verdict, execution.judged) == (Verdict.NOT_JUDGED, "not_run")
    golden_text(execution.detail)
    assert sandbox.distinct_programs == 0
    monkeypatch.undo()
    assert next(sandbox.run([Job("add", 0, add, RIGHT)])).verdict is Verdict.PASSED


def test_stopping_early_kills_what_still_runs(add, tight, nothing_left, descendants):
    before = descendants(os.getpid())
    with Sandbox(limits=tight, workers=2) as sandbox:
        executions = sandbox.run([Job("add", 0, add, RIGHT), Job("add", 1, add, SLEEP.format(60))])
        assert next(executions).completion_id == 0
        started_s = time.monotonic()
        executions.close()
        assert time.monotonic() - started_s < 2
        # The worker that sits still is kept; of the other, judge, zygote and program are gone.
        assert len(descendants(os.getpid()) - before) <= 3
        assert next(sandbox.run([Job("add", 2, add, WRONG)])).verdict is Verdict.FAILED


def test_no_descriptor_is_left_open(add, tight):
    def descriptors():
        return len(list(Path("/dev/fd").iterdir()))

    before = descriptors()
    with Sandbox(limits=tight, workers=2) as sandbox:
        executions = sandbox.run(Job("add", n, add, f"{RIGHT}    # {n}\n") for n in range(10))
        next(executions)
        executions.close()
        list(sandbox.run(Job("add", n, add, f"{RIGHT}    # {n}\n") for n in range(10)))
    assert descriptors() == before


DESCRIPTORS_SEEN = """    import os
    for fd in range(4, 1000):
        try:
            os.fstat(fd)
        except OSError:
            continue
        raise ValueError(fd)
    return a + b
"""


def test_a_program_inherits_no_descriptor_however_many_files_its_caller_has_open(add, tight, nothing_left):
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(200)]
    try:
        with Sandbox(limits=tight, workers=1) as sandbox:
            (execution,) = sandbox.run([Job("add", 0, add, DESCRIPTORS_SEEN)])
    finally:
        for fd in opened:
            os.close(fd)
    assert (execution.verdict, execution.detail) == (Verdict.PASSED, "")


def test_a_match_arrives_beside_arguments_that_were_changed(add, tight):
    test = "def check(candidate):\n    assert candidate(['abc', 'x'], 0).group(1) == 'b'\n"
    body = "    import re\n    a.reverse()\n    return re.match('a(b)', a[-1])\n"
    with Sandbox(limits=tight, workers=1) as sandbox:
        (execution,) = sandbox.run([Job("add", 0, replace(add, test=test, canonical_solution=body), body)])
    assert (execution.verdict, execution.detail) == (Verdict.PASSED, "")


def test_limits_must_be_above_zero(golden_text):
    with pytest.raises(ValueError) as error:
        Limits(cpu_s=0, disk_files=-1)
    golden_text(error)


def test_an_enormous_program_fails_without_being_run(add, tight, golden_text):
    with Sandbox(limits=replace(tight, program_bytes=1000), workers=1) as sandbox:
        (execution,) = sandbox.run([Job("add", 0, add, "#" * 1001)])
    assert (execution.verdict, execution.judged) == (Verdict.FAILED, "not_run")
    golden_text(execution.detail)


def test_big_programs_among_small_ones_have_their_verdicts(add, tight):
    def body(n):
        return ("    return a + b\n", "    return a - b\n")[n % 2] + f"# {n}" + "x" * (n % 3 * 700_000) + "\n"

    with Sandbox(limits=tight, workers=2) as sandbox:
        executions = {e.completion_id: e.verdict for e in sandbox.run(Job("add", n, add, body(n)) for n in range(12))}
    assert executions == {n: (Verdict.PASSED, Verdict.FAILED)[n % 2] for n in range(12)}


def test_a_large_job_that_is_sent_ahead_does_not_stop_the_clocks(add, tight):
    # Far above what a socket holds; a control character takes six bytes on the way.
    bodies = [SLEEP.format(60), f"{RIGHT}#" + "\1" * 60_000 + "\n", f"{WRONG}#" + "x" * 2_000_000 + "\n"]
    started_s = time.monotonic()
    with Sandbox(limits=replace(tight, wall_s=1.05, program_bytes=3 << 20), workers=1) as sandbox:
        executions = list(sandbox.run(Job("add", n, add, body) for n, body in enumerate(bodies)))
    assert [e.verdict for e in executions] == [Verdict.TIMED_OUT, Verdict.PASSED, Verdict.FAILED]
    assert time.monotonic() - started_s < 20


# Clocks.


def test_a_caller_that_takes_its_time_times_nothing_out(add, tight):
    jobs = [Job("add", n, add, SLEEP.format(0.2 * (n % 3)) + f"    # {n}\n") for n in range(6)]
    with Sandbox(limits=replace(tight, wall_s=1.05), workers=2) as sandbox:
        verdicts = []
        for execution in sandbox.run(jobs):
            verdicts.append(execution.verdict)
            time.sleep(1.2 if len(verdicts) < 3 else 0)
    assert verdicts == [Verdict.PASSED] * 6


def test_a_program_that_computes_while_the_caller_is_away_is_not_timed_out(add, tight):
    body = "    import time\n    while time.process_time() < 1.6: pass\n    return a + b\n"
    with Sandbox(limits=replace(tight, wall_s=1.1, cpu_s=3.0), workers=2) as sandbox:
        verdicts = []
        for execution in sandbox.run([Job("add", 0, add, RIGHT), Job("add", 1, add, body)]):
            verdicts.append(execution.verdict)
            time.sleep(1.3 if len(verdicts) == 1 else 0)
    assert verdicts == [Verdict.PASSED] * 2


def test_a_task_sent_ahead_has_its_own_time(add, tight):
    jobs = [Job("add", n, add, SLEEP.format(0.8) + f"    # {n}\n") for n in range(3)]
    with Sandbox(limits=replace(tight, wall_s=1.3), workers=1) as sandbox:
        assert [e.verdict for e in sandbox.run(jobs)] == [Verdict.PASSED] * 3


def test_what_was_sent_ahead_of_a_program_that_times_out_is_run(add, tight):
    bodies = [SLEEP.format(60), WRONG, RIGHT]
    with Sandbox(limits=replace(tight, wall_s=1.05), workers=1) as sandbox:
        executions = list(sandbox.run(Job("add", n, add, body) for n, body in enumerate(bodies)))
    assert [(e.completion_id, e.verdict) for e in executions] == [(0, "timed_out"), (1, "failed"), (2, "passed")]


def test_a_program_that_is_judged_twice_has_twice_the_time(add, tight):
    # It changes its argument, so that it is judged again without.
    problem = replace(add, test="def check(candidate):\n    assert candidate([2], [3]) == [2, 3]\n")
    body = "    import time\n    while time.process_time() < 0.8: pass\n    a += b\n    return a\n"
    with Sandbox(limits=replace(tight, wall_s=1.2, cpu_s=3.0), workers=1) as sandbox:
        (execution,) = sandbox.run([Job("add", 0, problem, body)])
    assert execution.verdict is Verdict.PASSED, execution.detail


COMPUTING = {
    "one thread": "        pass\n",
    "one short thread after another": (
        "        thread = threading.Thread(target=sum, args=(range(20_000),))\n        thread.start()\n"
        "        thread.join()\n"
    ),
}


@pytest.mark.parametrize("inner", COMPUTING)
def test_time_spent_in_waiting_for_a_core_does_not_count(add, tight, inner):
    body = f"    import threading, time\n    while time.process_time() < 1.4:\n{COMPUTING[inner]}    return a + b\n"
    core = min(os.sched_getaffinity(0))
    pinned = f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    rivals = [subprocess.Popen([sys.executable, "-c", pinned]) for _ in range(3)]
    try:
        with Sandbox(limits=replace(tight, wall_s=1.8, cpu_s=3.0), workers=1) as sandbox:
            (execution,) = sandbox.run([Job("add", 0, add, body)])
    finally:
        for rival in rivals:
            rival.kill()
            rival.wait()
    assert execution.verdict is Verdict.PASSED, execution.detail
    assert execution.wall_s > 1.8


def _two_on_one_core(busy_s, *, nested):
    """A busy process, with a rival on its core, after a while; ``nested`` has another process compute for it."""
    core = min(os.sched_getaffinity(0))
    loop = f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    below = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {loop!r}])"
    processes = [subprocess.Popen([sys.executable, "-c", text]) for text in (below if nested else loop, loop)]
    time.sleep(busy_s)
    busy, below = clocks.busy_s(processes[0].pid), clocks._with_descendants(processes[0].pid)
    for pid in [*below, processes[1].pid]:
        os.kill(pid, signal.SIGKILL)
    for process in processes:
        process.wait()
    return busy


@pytest.mark.parametrize("nested", [False, True])
def test_what_a_process_and_those_below_it_computed_and_waited_is_told_apart(nested):
    busy = _two_on_one_core(0.8, nested=nested)
    assert 0.05 < busy.computed < 0.8
    assert busy.waited > 0.1


def test_a_process_that_sleeps_is_not_busy():
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        time.sleep(0.3)
        busy = clocks.busy_s(sleeper.pid)
        sleeper.kill()
    assert sum(busy) < 0.1


def test_a_process_that_has_gone_was_not_busy():
    done = subprocess.Popen(["true"])
    done.wait()
    assert clocks.busy_s(done.pid) == (0.0, 0.0, False)


# Workers that are lost.


def _members(worker):
    zygote, judge = worker._processes
    return {"zygote": zygote.pid, "judge": judge.pid}


@pytest.mark.parametrize("member", ["judge", "zygote"])
@pytest.mark.parametrize("wait_s", [0, 0.3], ids=["before", "in the middle"])
def test_a_program_whose_worker_was_killed_from_outside_is_run_again(add, tight, nothing_left, member, wait_s):
    with Sandbox(limits=tight, workers=1) as sandbox:
        first = sandbox._crew.seats[0].worker
        killer = threading.Timer(wait_s, os.kill, (_members(first)[member], signal.SIGKILL))
        killer.start()
        if wait_s == 0:
            killer.join()
        jobs = [Job("add", 0, add, SLEEP.format(0.6)), Job("add", 1, add, WRONG)]
        executions = {e.completion_id: e.verdict for e in sandbox.run(jobs)}
        killer.join()
        assert sandbox._crew.seats[0].worker is not first
    assert executions == {0: Verdict.PASSED, 1: Verdict.FAILED}


def test_a_program_that_was_killed_from_outside_is_run_again(add, tight, nothing_left, descendants, wait_for):
    with Sandbox(limits=tight, workers=1) as sandbox:
        before = descendants(os.getpid())

        def kill_the_program():
            wait_for(lambda: descendants(os.getpid()) - before)
            ((pid, _),) = descendants(os.getpid()) - before
            os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill_the_program)
        killer.start()
        (execution,) = sandbox.run([Job("add", 0, add, SLEEP.format(0.5))])
        killer.join()
    assert execution.verdict is Verdict.PASSED


class FakeWorker:
    """A worker whose every answer is a loss: a reply, or that the judge has ended."""

    sent: list[dict]
    events = select.POLLIN

    def __init__(self, loss):
        self._loss = loss
        self._mine, self._theirs = socket.socketpair()
        self._theirs.send(b"x")
        self.sent = []

    def send(self, job):
        if self._loss == "unsent":
            raise WorkerDied("the judge is gone")
        self.sent.append(job)

    def replies(self):
        if isinstance(self._loss, dict):
            return [self._loss]
        raise WorkerDied(self._loss)

    def fileno(self):
        return self._mine.fileno()

    def kill(self):
        self._mine.close()
        self._theirs.close()


BEGUN, NOT_BEGUN = {"lost": "the zygote is gone", "begun": True}, {"lost": "failed [Errno 11]", "begun": False}


@pytest.mark.parametrize(
    ("losses", "verdict", "detail"),
    [
        ([BEGUN, BEGUN], Verdict.CRASHED, "ended the judge's process, twice"),
        (["the judge has ended"] * 2, Verdict.CRASHED, "ended the judge's process, twice"),
        ([NOT_BEGUN, "the judge has ended"], Verdict.CRASHED, "ended the judge's process, twice"),
        ([NOT_BEGUN, NOT_BEGUN], Verdict.NOT_JUDGED, "failed [Errno 11]"),
        (["unsent", "unsent"], Verdict.NOT_JUDGED, "the judge is gone"),
    ],
)
def test_a_worker_that_is_lost_twice_over_a_program(add, sandbox, monkeypatch, losses, verdict, detail):
    workers = [FakeWorker(loss) for loss in losses]
    coming = iter(workers[1:])
    monkeypatch.setattr(Ground, "start", lambda *_: next(coming))
    sandbox._crew.seats[0].worker.kill()
    sandbox._crew.seats[0].worker = workers[0]
    del sandbox._crew.seats[1:]
    (execution,) = sandbox.run([Job("add", 0, add, RIGHT)])
    assert (execution.verdict, execution.detail) == (verdict, detail)


def test_a_program_that_a_worker_was_lost_over_is_run_with_more_care(add, sandbox, monkeypatch):
    workers = [FakeWorker("the judge has ended"), FakeWorker("the judge has ended")]
    monkeypatch.setattr(Ground, "start", lambda *_: workers[1])
    sandbox._crew.seats[0].worker.kill()
    sandbox._crew.seats[0].worker = workers[0]
    del sandbox._crew.seats[1:]
    list(sandbox.run([Job("add", 0, add, RIGHT)]))
    assert [job["careful"] for worker in workers for job in worker.sent] == [False, True]


def test_a_judge_that_dies_once_costs_a_worker_and_not_the_verdict(add, sandbox):
    sandbox._crew.seats[0].worker.kill()
    sandbox._crew.seats[0].worker = FakeWorker("the judge has ended")
    del sandbox._crew.seats[1:]
    assert [e.verdict for e in sandbox.run([Job("add", 0, add, WRONG)])] == [Verdict.FAILED]


def test_the_memory_of_the_caller_costs_no_worker(add, tight):
    model = b"x" * (600 << 20)  # more than a judge may hold; what a process starts begins with its peak
    with Sandbox(limits=tight, workers=1, deduplicate=False) as sandbox:
        worker = sandbox._crew.seats[0].worker
        assert {e.verdict for e in sandbox.run(Job("add", n, add, RIGHT) for n in range(3))} == {Verdict.PASSED}
        assert sandbox._crew.seats[0].worker is worker
    del model


def test_a_judge_that_has_grown_is_replaced_and_costs_no_verdict(add, tight, monkeypatch):
    monkeypatch.setattr("evalharness.sandbox.crew._MOST_MEMORY_OF_JUDGE_KIB", 1)
    with Sandbox(limits=tight, workers=1, deduplicate=False) as sandbox:
        worker = sandbox._crew.seats[0].worker
        assert {e.verdict for e in sandbox.run(Job("add", n, add, RIGHT) for n in range(3))} == {Verdict.PASSED}
        assert sandbox._crew.seats[0].worker is not worker


HARNESS = """
import sys, tempfile
from evalharness.records import Problem
from evalharness.sandbox import Job, Sandbox
tempfile.tempdir = sys.argv[1]
problem = Problem("sleep", "def f(s):\\n", "f", "", "def check(f): f(60)\\n")
with Sandbox(workers=2) as sandbox:
    print("entered", flush=True)
    list(sandbox.run(Job("sleep", n, problem, f"    import time; time.sleep(s)  # {n}\\n") for n in range(4)))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_an_interrupted_or_killed_harness(tmp_path, number, descendants, still_living, wait_for):
    command = [sys.executable, "-c", HARNESS, tmp_path]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as harness:
        harness.stdout.readline()
        # Of each of the two workers: a judge, a zygote, and its program.
        wait_for(lambda: len(descendants(harness.pid)) >= 6)
        time.sleep(0.3)
        members = descendants(harness.pid)
        os.kill(harness.pid, number)
        harness.wait(timeout=20)
    wait_for(lambda: still_living(members) == set(), timeout_s=5)
    if number == signal.SIGINT:  # nothing can be removed by who was killed
        assert list(tmp_path.iterdir()) == []


def test_tests_that_are_run_in_a_fork_end_with_their_judge(add, tight, descendants, still_living, wait_for):
    test = "import json\ndef check(candidate):\n    for _ in candidate(2, 3): pass\n"
    job = Job("add", 0, replace(add, test=test), "    return range(10 ** 18)\n")
    with Sandbox(limits=replace(tight, wall_s=1.2), workers=1) as sandbox:
        executions = sandbox.run([job])
        runner = threading.Thread(target=lambda: list(executions))
        before = descendants(os.getpid())
        runner.start()
        wait_for(lambda: descendants(os.getpid()) - before)
        time.sleep(0.3)
        members = descendants(os.getpid()) - before
        runner.join()
    wait_for(lambda: still_living(members) == set(), timeout_s=5)
