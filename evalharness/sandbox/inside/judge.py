"""The judge's interpreter: it holds the tests and their expected values, and no code of a program ever runs in it.

For each program it asks the zygote of its worker for a fresh fork, hands that the source, and runs the tests with a
stand-in for each function that the program is to define: a call crosses to the fork, a plain value comes back. What
happens after the source is handed over is the program's: whatever is irregular then is its failure.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import sys
import time
import warnings
from functools import partial
from typing import Any, NamedTuple

from . import (
    channel,
    codec,
    drawn_numbers,
    emptying,
    errors_told,
    input_tests,
    kernel,
    many_answers,
    own_folder,
    processes,
    protocol,
)
from .javascript_session import Failed, JavaScriptSession, could_be_run, run_tests
from .judged_program import Ending, Gone, Session, WorkerLost, heard_from
from .problem_tests import Check
from .sharing_session import SharingSession

CHANGED_ARGUMENTS = "passed only by changing its arguments"
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_CHECKS_KEPT = 4096
_LONGEST_JOB_BYTES = 1 << 30
_TIMES_FOR_REFERENCE = 10
_LARGEST_KEPT_BYTES = 8 << 20
_COULD_RUN = {"verdict": "not_judged", "detail": "its tests could run what a program gives them"}
_REPLIED_STATUS = 75
"""How the fork of a judge ends that has said its verdict: not 0, with which tests could end it before."""
_SEEDS = 3
"""Tests that draw random numbers are run so often, each time with others; a program passes if it passes each time."""


_OF_RAISED = {protocol.RAISED: "failed", protocol.REFUSED: "not_supported", protocol.NO_THREAD: "no_thread"}


class Outcome(NamedTuple):
    """How the tests of one attempt ended.

    ``kind`` is passed, failed, memory, not_supported, no_thread, fault or gone.
    """

    kind: str
    detail: str
    changed_arguments: bool = False
    drew_numbers: bool = False


class OfSolution(NamedTuple):
    """What tests that share objects may expect, because the canonical solution does it, too.

    ``changed_names`` are the objects of the prompt that it changes. ``keeps_assertions``: it catches an AssertionError
    of a function that the tests have given it.
    """

    changed_names: frozenset[str]
    keeps_assertions: bool


def main() -> None:
    """Judge programs until the harness closes its end."""
    harness, control = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    warnings.simplefilter("ignore")
    kernel.die_with_writer(int(sys.argv[3]))
    processes.stay_on(int(sys.argv[4]))
    memory_bytes = processes.allowed(resource.RLIMIT_AS, int(sys.argv[5]))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    folder, kept, *packages = sys.argv[6:]
    own_folder.stay_in(folder, kept)
    for package in packages:  # what programs may use, their tests may meet
        with contextlib.suppress(ImportError):
            __import__(package)
        if package == "numpy":
            codec.accept_arrays()
    said = heard_from(control)
    _reply(harness, {"ready": said == protocol.ENTERED, "detail": said.decode(errors="replace")})
    receiver = channel.Receiver(harness.fileno(), _LONGEST_JOB_BYTES)
    judge = Judge(control, partial(_reply, harness))
    while (message := receiver.receive()) is not None:
        job = json.loads(message)
        if not job.get("inputs") and not job.get("interpreter") and judge.check_of(job).leaves_traces:
            _in_a_fork(partial(_judge_and_reply, judge, job, harness))
            with contextlib.suppress(OSError):  # the next tests find it empty, or the worker is replaced
                emptying.empty_folder(folder)
        else:
            _judge_and_reply(judge, job, harness)


def _judge_and_reply(judge: Judge, job: dict[str, Any], harness: socket.socket) -> None:
    _reply(harness, {**judge.judge(job), "number": job["number"]})


def _reply(harness: socket.socket, reply: dict[str, Any]) -> None:
    channel.send(harness.fileno(), json.dumps(reply).encode())


def _in_a_fork(work: Any) -> None:
    """Run tests that would leave something of themselves in this interpreter; die as the fork did, if it did."""
    judge = os.getpid()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            kernel.die_with_parent()
            if os.getppid() == judge:  # it may have been killed before the kernel knew
                work()
                status = _REPLIED_STATUS
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status) != _REPLIED_STATUS:
        os._exit(1)


class Judge:
    """Judges one program at a time with the forks of one zygote."""

    def __init__(self, control: socket.socket, tell: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
        self._control = control
        self._tell = tell
        self._checks: dict[tuple[str, ...], Check] = {}
        self._needs_changes: dict[tuple[str, ...], bool] = {}
        self._of_solutions: dict[tuple[str, ...], OfSolution] = {}
        self._input_tests: dict[str, input_tests.InputTests] = {}

    def check_of(self, job: dict[str, Any]) -> Check:
        """The compiled tests of the job's problem."""
        key = _problem_key(job)
        check = self._checks.get(key)
        if check is None:
            if len(self._checks) >= _CHECKS_KEPT:
                self._checks.clear()
            check = self._checks[key] = Check(*key)
        return check

    def judge(self, job: dict[str, Any]) -> dict[str, Any]:
        """The verdict of one job, or ``lost`` where the worker must be replaced."""
        started_s = time.monotonic()
        result: dict[str, Any]
        try:
            if "ask" in job:
                return self._ask(job)
            if job.get("interpreter"):
                result = self._judge_javascript(job)
            elif job.get("inputs"):
                result = self._judge_on_inputs(job)
            elif fault := self.check_of(job).fault:
                result = {"verdict": "not_judged", "detail": fault}
            else:
                result = self._judge_apart(job) if job["judged"] == "apart" else self._judge_in_process(job)
        except WorkerLost as error:
            return {"lost": str(error), "begun": error.begun}
        return {**result, "wall_s": time.monotonic() - started_s, "judge_memory_kib": processes.resident_kib()}

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """Call one function of a program of the harness's own and hand its answer on."""
        with Session(self._control, job["cpu_s"]) as session:
            session.load(job["program"], compile_here=True)
            answer = session.call(job["ask"], tuple(job["arguments"]), {})
        return {"answer": answer}

    def _judge_apart(self, job: dict[str, Any]) -> dict[str, Any]:
        check = self.check_of(job)
        if check.runs_answers or (job.get("shares") and not check.may_share):
            return _COULD_RUN
        outcome, ending, seeds = self._attempt_under_seeds(check, job, write_back=True)
        result = {**as_verdict(outcome, ending), "random_seeds": seeds}
        if result["verdict"] == "passed" and outcome.changed_arguments:
            again, *_ = self._attempt_under_seeds(check, job, write_back=False)
            if again.kind != "passed" and not self._solution_needs_changes(job):
                return {**result, "verdict": "failed", "detail": CHANGED_ARGUMENTS}
        return result

    def _attempt_under_seeds(
        self, check: Check, job: dict[str, Any], *, write_back: bool
    ) -> tuple[Outcome, Ending, int]:
        """The first attempt that did not pass, or the last one; and how many there were, 0 if no number was drawn.

        Arguments count as changed if they were in any attempt. A program that is slow is given as many attempts as fit
        into the time that one may take.
        """
        started_s = time.monotonic()
        outcome, ending = self._attempt(check, job, write_back=write_back)
        if not outcome.drew_numbers:
            return outcome, ending, 0
        took_s, seeds, changed = time.monotonic() - started_s, 1, outcome.changed_arguments
        while outcome.kind == "passed" and seeds < _SEEDS and (seeds + 1) * took_s < job["cpu_s"]:
            outcome, ending = self._attempt(check, job, write_back=write_back)
            seeds, changed = seeds + 1, changed or outcome.changed_arguments
        return outcome._replace(changed_arguments=changed), ending, seeds

    def _solution_needs_changes(self, job: dict[str, Any]) -> bool:
        """Whether the tests look at what the canonical solution does to its arguments."""
        key = _problem_key(job)
        if key not in self._needs_changes:
            check = self.check_of(job)
            solution = {**job, "program": job["solution"], "careful": False}
            with_changes, _ = self._attempt(check, solution, write_back=True)
            without, _ = self._attempt(check, solution, write_back=False)
            self._needs_changes[key] = with_changes.kind == "passed" and without.kind != "passed"
        return self._needs_changes[key]

    def _attempt(self, check: Check, job: dict[str, Any], *, write_back: bool) -> tuple[Outcome, Ending]:
        if job.get("shares"):
            return self._attempt_sharing(check, job, write_back=write_back)
        session = Session(self._control, job["cpu_s"], write_back=write_back)
        with session:
            outcome = _run_check(check, session, job["program"], compile_here=not job["careful"])
        return outcome, session.ending

    def _attempt_sharing(self, check: Check, job: dict[str, Any], *, write_back: bool) -> tuple[Outcome, Ending]:
        solution = self._of_solution(check, job)
        session = SharingSession(self._control, job["cpu_s"], write_back=write_back, may_change=solution.changed_names)
        with session:
            outcome = _run_check(check, session, job["program"], compile_here=not job["careful"])
            if outcome.kind == "passed" and session.assertion is not None and not solution.keeps_assertions:
                outcome = _failure(session, session.assertion)
        return outcome, session.ending

    def _of_solution(self, check: Check, job: dict[str, Any]) -> OfSolution:
        key = _problem_key(job)
        if key not in self._of_solutions:
            session = SharingSession(self._control, job["cpu_s"], write_back=True)
            with session:
                _run_check(check, session, job["solution"], compile_here=True)
            self._of_solutions[key] = OfSolution(session.changed_names, session.assertion is not None)
        return self._of_solutions[key]

    def _judge_on_inputs(self, job: dict[str, Any]) -> dict[str, Any]:
        """Both parts of the tests, each in a fork of its own; the second only if the first is passed."""
        try:
            tests = self._input_tests_of(job)
        except _NoReference as error:
            return {"verdict": "not_judged", "detail": str(error)}
        result: dict[str, Any] = {}
        for name, part in zip(input_tests.PARTS, tests.parts, strict=True):
            if result:  # the harness may have to end this one, and then has to know which it was
                self._tell({"begins": name})
            work = partial(tests.check, part, name, least_s=job["least_s"])
            session = Session(self._control, job["cpu_s"], answer_bytes=many_answers.MAX_BYTES)
            with session:
                outcome = _outcome_of(session, partial(_load_and, work, session, job))
            result = added(result, {**as_verdict(outcome, session.ending), "part": name, "call_s": session.call_s})
            if result["verdict"] != "passed":
                break
        return result

    def _input_tests_of(self, job: dict[str, Any]) -> input_tests.InputTests:
        """The tests with the canonical solution's answers: known here, kept in a file, or made now."""
        path = job["inputs"]["reference"]
        tests = self._input_tests.get(path) or input_tests.from_file(path) or self._made(job)
        if tests.size_bytes <= _LARGEST_KEPT_BYTES:
            self._input_tests[path] = tests
        return tests

    def _made(self, job: dict[str, Any]) -> input_tests.InputTests:
        session = Session(self._control, _TIMES_FOR_REFERENCE * job["cpu_s"], answer_bytes=many_answers.MAX_BYTES)
        made: list[input_tests.InputTests] = []
        try:
            with open(job["inputs"]["source"], encoding="utf-8") as file:
                source = json.load(file)
        except FileNotFoundError:  # the harness took what can't be read for what was kept
            raise WorkerLost("what the canonical solution answered can't be read") from None
        reference = {"program": source["program"], "careful": False}

        def work(session: Session) -> None:
            made.append(input_tests.made(source, job["entry_point"], session))

        with session:
            outcome = _outcome_of(session, partial(_load_and, work, session, reference))
        if not made:
            verdict, detail = _verdict(outcome, session.ending)
            raise _NoReference(f"the canonical solution does not answer here ({verdict}: {detail})")
        if made[0].solved:
            input_tests.keep(made[0], job["inputs"]["reference"])
        return made[0]

    def _judge_in_process(self, job: dict[str, Any]) -> dict[str, Any]:
        """The tests run where the program runs, and could be talked into anything: for problems that say so, alone."""
        session = Session(self._control, job["cpu_s"])
        with session:
            outcome = _outcome_of(session, lambda: session.load(job["program"], compile_here=not job["careful"]))
        return as_verdict(outcome, session.ending)

    def _judge_javascript(self, job: dict[str, Any]) -> dict[str, Any]:
        """Both in an interpreter of JavaScript, apart from each other."""
        if could_be_run(job["test"]):
            return _COULD_RUN
        session = JavaScriptSession(self._control, job["cpu_s"])

        def work() -> None:
            session.define(job["program"])
            run_tests(session, job["interpreter"], job["test"], [job["entry_point"]])

        with session:
            outcome = _outcome_of(session, work)
            if outcome.kind == "passed" and session.answers == 0:
                outcome = Outcome("fault", "its functions were never called")
        return as_verdict(outcome, session.ending)


class _NoReference(Exception):  # noqa: N818 - no error of the judge's
    """The canonical solution does not answer, so that nothing can be compared with it."""


def _load_and(work: Any, session: Session, job: dict[str, Any]) -> None:
    session.load(job["program"], compile_here=not job["careful"])
    work(session=session)


def added(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The result of a program that was run twice: the last verdict, and what both used. Pure."""
    if not first:
        return second
    return {
        **second,
        "cpu_s": first["cpu_s"] + second["cpu_s"],
        "peak_memory_kib": max(first["peak_memory_kib"], second["peak_memory_kib"]),
    }


def _run_check(check: Check, session: Session, program: str, *, compile_here: bool) -> Outcome:
    numbers = drawn_numbers.DrawnNumbers()

    def work() -> None:
        session.load(program, compile_here=compile_here)
        numbers.seed()
        check.run(session.call, session.know)

    outcome = _outcome_of(session, work)
    if outcome.kind == "passed" and session.answers == 0:
        return Outcome("fault", "its functions were never called")
    return outcome._replace(drew_numbers=numbers.were_drawn())


def _outcome_of(session: Session, work: Any) -> Outcome:
    """How ``work`` ended: a fault stands before everything that the tests make of it."""
    error: BaseException | None = None
    try:
        work()
    except BaseException as caught:  # noqa: BLE001 - tests that end in any way have not passed
        error = caught
    if session.fault is not None:
        kind = "gone" if isinstance(session.fault, Gone) else "fault"
        return Outcome(kind, str(session.fault), session.changed)
    if isinstance(error, Failed):
        return Outcome("failed", str(error), session.changed)
    if error is not None:
        return _failure(session, error)
    return Outcome("passed", "", session.changed)


def _failure(session: Session, error: BaseException) -> Outcome:
    raised = session.raised
    if raised is not None and raised.error is error:
        kind = "memory" if isinstance(error, MemoryError) else _OF_RAISED[raised.tag]
        return Outcome(kind, _in_words(raised.name, raised.message, raised.line, ""), session.changed)
    if isinstance(error, SyntaxError) and error.filename == protocol.PROGRAM_NAME:
        return Outcome("failed", _in_words(type(error).__name__, error.msg, error.lineno or 0, ""), session.changed)
    if session.unsent:
        return Outcome("failed", session.unsent, session.changed)
    if isinstance(error, MemoryError):
        limit = f"{resource.getrlimit(resource.RLIMIT_AS)[0] >> 20} MiB"
        return Outcome("failed", f"its answers need more memory than the judge has ({limit})", session.changed)
    detail = _in_words(
        type(error).__name__, _text_of(error), errors_told.last_line(error, Check.FILE_NAME), " of the tests"
    )
    return Outcome("failed", detail, session.changed)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - it may hold a number of five thousand digits, or an object of the program's
        return ""


def _in_words(name: str, text: str, line: int, source: str) -> str:
    first = text[: protocol.LONGEST_MESSAGE].strip().splitlines()[:1]
    return (f"{name}: {first[0]}" if first else name) + (f" (line {line}{source})" if line else "")


def as_verdict(outcome: Outcome, ending: Ending) -> dict[str, Any]:
    """What the harness is told: the verdict from both sides, the tests' and the zygote's. Pure."""
    verdict, detail = _verdict(outcome, ending)
    return {
        "verdict": verdict,
        "detail": detail,
        "exit_code": ending.exit_code,
        "cpu_s": ending.cpu_s,
        "peak_memory_kib": ending.peak_memory_kib,
    }


def _verdict(outcome: Outcome, ending: Ending) -> tuple[str, str]:
    if ending.cause in {"cpu", "output", "disk"}:
        return ending.cause, ""
    if outcome.kind == "gone":
        return _gone(ending)
    if outcome.kind == "fault":
        return "failed", outcome.detail
    return outcome.kind, outcome.detail


def _gone(ending: Ending) -> tuple[str, str]:
    if ending.exit_code == protocol.NO_MEMORY_STATUS:
        return "memory", ""
    if ending.exit_code >= 0 or (ending.cause == "killed" and ending.exit_code == -signal.SIGKILL):
        return "failed", "exited before the tests finished"
    return "signal", ""


def _problem_key(job: dict[str, Any]) -> tuple[str, ...]:
    return job["prompt"], job["test"], job["entry_point"] or "", job["solution"]
