"""The judge's interpreter: it holds the tests and their expected values, and no code of a program ever runs in it.

For each program it asks the zygote of its worker for a fresh fork, hands that the source, and runs the tests with a
stand-in for each function that the program is to define: a call crosses to the fork, a plain value comes back. What
happens after the source is handed over is the program's: whatever is irregular then is its failure.
"""

from __future__ import annotations

import array
import builtins
import contextlib
import json
import marshal
import os
import random
import resource
import signal
import socket
import sys
import time
import warnings
from functools import partial
from typing import Any, NamedTuple

from . import candidate, channel, codec, kernel, processes, protocol
from .checks import Check

# A crash of this process on a source costs a worker: what is large is compiled where it runs.
_LONGEST_COMPILED_HERE = 1 << 16
_CHECKS_KEPT = 4096
_MOST_LINES = 1 << 31
_LONGEST_JOB_BYTES = 1 << 30
_ANSWER_LIMIT_BYTES = codec.MAX_BYTES + 64
# StopIteration would end a loop of the tests as if it had gone well; what is no Exception is not to be caught by them.
_REBUILT = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and not issubclass(kind, (StopIteration, StopAsyncIteration, Warning, BaseExceptionGroup))
    and kind.__name__ == name
}


class Fault(BaseException):
    """Something irregular that the program did; it stands whatever the tests make of it."""


class Gone(Fault):
    """The program's process has ended."""


class WorkerLost(Exception):  # noqa: N818 - not an error here: the harness replaces the worker
    """The zygote can't be reached, or can't fork. ``begun``: after the program was handed over."""

    def __init__(self, what: str, *, begun: bool = False) -> None:
        super().__init__(what)
        self.begun = begun


class Ending(NamedTuple):
    """The zygote's report of one program: why it ended, its exit code (minus the signal), and what it used."""

    cause: str
    exit_code: int
    cpu_s: float
    peak_memory_kib: int


class Raised(NamedTuple):
    """What a program raised last: as it was rebuilt here, what it is called and says there, and the program's line."""

    error: Exception
    name: str
    message: str
    line: int


class Outcome(NamedTuple):
    """How the tests of one attempt ended: ``kind`` is passed, failed, memory, fault, gone or not_begun."""

    kind: str
    detail: str
    changed_arguments: bool = False


def main() -> None:
    """Judge programs until the harness closes its end."""
    harness, control = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    warnings.simplefilter("ignore")
    kernel.die_with_writer(int(sys.argv[3]))
    processes.stay_on(int(sys.argv[4]))
    memory_bytes = processes.allowed(resource.RLIMIT_AS, int(sys.argv[5]))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for package in sys.argv[6:]:  # what programs may use, their tests may meet
        with contextlib.suppress(ImportError):
            __import__(package)
    said = _heard_from(control)
    _reply(harness, {"ready": said == protocol.ENTERED, "detail": said.decode(errors="replace")})
    receiver = channel.Receiver(harness.fileno(), _LONGEST_JOB_BYTES)
    judge = Judge(control)
    while (message := receiver.receive()) is not None:
        job = json.loads(message)
        if judge.check_of(job).leaves_traces:
            _in_a_fork(partial(_judge_and_reply, judge, job, harness))
        else:
            _judge_and_reply(judge, job, harness)


def _judge_and_reply(judge: Judge, job: dict[str, Any], harness: socket.socket) -> None:
    _reply(harness, judge.judge(job))


def _reply(harness: socket.socket, reply: dict[str, Any]) -> None:
    channel.send(harness.fileno(), json.dumps(reply).encode())


def _heard_from(control: socket.socket) -> bytes:
    """The zygote's next report, empty where it is gone."""
    return control.recv(protocol.REPORT_BYTES, socket.MSG_WAITALL).rstrip()


def _in_a_fork(work: Any) -> None:
    """Run tests that would leave something of themselves in this interpreter; die as the fork did, if it did."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        os._exit(1)


class Judge:
    """Judges one program at a time with the forks of one zygote."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._checks: dict[tuple[str, ...], Check] = {}
        self._needs_changes: dict[tuple[str, ...], bool] = {}

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
        try:
            if "ask" in job:
                return self._ask(job)
            if fault := self.check_of(job).fault:
                result: dict[str, Any] = {"verdict": "not_judged", "detail": fault}
            else:
                result = self._judge_apart(job) if job["judged"] == "apart" else self._judge_in_process(job)
        except WorkerLost as error:
            return {"lost": str(error), "begun": error.begun}
        memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {**result, "wall_s": time.monotonic() - started_s, "judge_memory_kib": memory_kib}

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """Call one function of a program of the harness's own and hand its answer on."""
        with Session(self._control, job["cpu_s"]) as session:
            session.load(job["program"], compile_here=True)
            answer = session.call(job["ask"], tuple(job["arguments"]), {})
        return {"answer": answer}

    def _judge_apart(self, job: dict[str, Any]) -> dict[str, Any]:
        check = self.check_of(job)
        outcome, ending = self._attempt(check, job, write_back=True)
        result = as_verdict(outcome, ending)
        if result["verdict"] == "passed" and outcome.changed_arguments:
            again, _ = self._attempt(check, job, write_back=False)
            if again.kind != "passed" and not self._solution_needs_changes(job):
                return {**result, "verdict": "failed", "detail": "passed only by changing its arguments"}
        return result

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
        session = Session(self._control, job["cpu_s"], write_back=write_back)
        with session:
            outcome = _run_check(check, session, job["program"], compile_here=not job["careful"])
        return outcome, session.ending

    def _judge_in_process(self, job: dict[str, Any]) -> dict[str, Any]:
        """The tests run where the program runs, and could be talked into anything: for problems that say so, alone."""
        session = Session(self._control, job["cpu_s"])
        with session:
            outcome = _outcome_of(session, lambda: session.load(job["program"], compile_here=not job["careful"]))
        return as_verdict(outcome, session.ending)


class Session:
    """One program in its fork. Leaving the ``with`` block kills it; ``ending`` is known from then on.

    Raises:
        WorkerLost: there is no fork to be had.
    """

    ending: Ending

    def __init__(self, control: socket.socket, cpu_s: float, *, write_back: bool = False) -> None:
        self._control = control
        self._order = protocol.order(protocol.RUN + str(cpu_s).encode())
        self._write_back = write_back
        self.begun = False
        self.answers = 0
        self.changed = False
        self.fault: Fault | None = None
        self.raised: Raised | None = None

    def __enter__(self) -> Session:
        mine, theirs = socket.socketpair()
        try:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))]
            self._control.sendmsg([self._order], rights)
        except OSError as error:
            mine.close()
            raise WorkerLost(f"the zygote is gone ({error})") from None
        finally:
            theirs.close()
        self._mine = mine
        self._receiver = channel.Receiver(mine.fileno(), _ANSWER_LIMIT_BYTES)
        return self

    def __exit__(self, *_: object) -> None:
        self._mine.close()
        try:
            last = protocol.GONE if isinstance(self.fault, Gone) else protocol.KILL
            self._control.send(protocol.order(last))
            report = _heard_from(self._control).decode(errors="replace")
        except OSError:
            report = ""
        if not report or report.startswith(protocol.FAILED.decode()):
            raise WorkerLost(report or "the zygote is gone", begun=self.begun)
        cause, exit_code, cpu_us, peak_memory_kib = report.split()
        self.ending = Ending(cause, int(exit_code), int(cpu_us) / 1e6, int(peak_memory_kib))

    def load(self, program: str, *, compile_here: bool) -> None:
        """Run the program's own statements, which define what is called later."""
        source = program.encode("utf-8", "surrogatepass")
        payload = protocol.SOURCE, source
        if compile_here and len(source) <= _LONGEST_COMPILED_HERE:
            code = candidate.compile_program(program)
            with contextlib.suppress(ValueError):  # nested too deep for marshal, which is no fault
                payload = protocol.CODE, marshal.dumps(code)
        token = os.urandom(protocol.TOKEN_BYTES)
        self._send(payload[0] + token + payload[1])
        self.begun = self._receive() == protocol.READY
        if not self.begun:
            raise self._failed(Fault("wrote into the harness's own channel"))
        answer = self._receive()
        if answer[:1] == protocol.RAISED:
            raise self._rebuilt(answer)
        if answer != protocol.DONE + token:
            raise self._failed(Fault("wrote into the harness's own channel"))

    def call(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What the program's function returns; where it changes its arguments in place, so are they here."""
        if self.fault is not None:
            raise self.fault
        self._send(protocol.CALL + codec.encode((name, arguments, named)))
        answer = self._receive()
        kind, content = answer[:1], answer[1:]
        if kind == protocol.RAISED:
            error = self._rebuilt(answer)
            self.answers += 1
            raise error
        if kind == protocol.UNSENDABLE:
            raise self._failed(Fault(content.decode(errors="replace")))
        try:
            if kind == protocol.VALUE:
                value = codec.decode(content)
            elif kind == protocol.CHANGED:
                value, new_arguments, new_named = codec.decode(content)
                self._change(arguments, new_arguments)
                self._change(tuple(named.values()), tuple(new_named.values()))
            else:
                raise codec.Malformed("of no kind that there is")  # noqa: TRY301
        except (codec.Malformed, TypeError, ValueError, AttributeError) as error:
            raise self._failed(Fault(f"sent an answer that can't be read ({error})")) from None
        self.answers += 1
        return value

    def _change(self, olds: tuple[Any, ...], news: tuple[Any, ...]) -> None:
        for old, new in zip(olds, news, strict=True):
            if codec.encode(old) != codec.encode(new):
                self.changed = True
                if self._write_back:
                    _change_in_place(old, new)

    def _send(self, message: bytes) -> None:
        try:
            channel.send(self._mine.fileno(), message)
        except OSError:
            raise self._failed(Gone()) from None

    def _receive(self) -> bytes:
        try:
            answer = self._receiver.receive()
        except channel.BadFrame as error:
            raise self._failed(Fault(f"sent an answer that can't be read ({error})")) from None
        except OSError:  # it died with a call unread
            answer = None
        if answer is None:
            raise self._failed(Gone())
        return answer

    def _failed(self, fault: Fault) -> Fault:
        self.fault = self.fault or fault
        return self.fault

    def _rebuilt(self, answer: bytes) -> BaseException:
        """The exception that the program raised, as the nearest kind that is known to be harmless."""
        try:
            names, message, line = codec.decode(answer[1:])
        except (codec.Malformed, TypeError, ValueError) as broken:
            return self._failed(Fault(f"sent an answer that can't be read ({broken})"))
        if not (_is_names(names) and type(message) is str and type(line) is int and 0 <= line < _MOST_LINES):
            return self._failed(Fault("sent an answer that can't be read (it describes no exception)"))
        if "Exception" not in names:
            return self._failed(Fault(f"raised {names[0]}"))
        if {"StopIteration", "StopAsyncIteration"} & set(names):
            known: type[Exception] = RuntimeError
        else:
            known = next((_REBUILT[name] for name in names if name in _REBUILT), Exception)
        error = _new(known, message)
        self.raised = Raised(error, names[0], message, line)
        return error


def _is_names(names: object) -> bool:
    if type(names) is not list or not 0 < len(names) <= protocol.MOST_NAMES:
        return False
    return all(type(name) is str for name in names)


def _new(kind: type[Exception], text: str) -> Exception:
    try:
        return kind(text)
    except TypeError:  # UnicodeDecodeError wants five arguments
        return ValueError(text)


def _change_in_place(old: Any, new: Any) -> None:
    """Give ``old`` the content of ``new``, where that can be done to its type."""
    if isinstance(old, (list, bytearray)):
        old[:] = new
    elif isinstance(old, (dict, set)):
        old.clear()
        old.update(new)
    elif hasattr(old, "extend"):  # a deque
        old.clear()
        old.extend(new)


def _run_check(check: Check, session: Session, program: str, *, compile_here: bool) -> Outcome:
    def work() -> None:
        session.load(program, compile_here=compile_here)
        random.seed(0)
        check.run(session.call)

    outcome = _outcome_of(session, work)
    if outcome.kind == "passed" and session.answers == 0:
        return Outcome("fault", "its functions were never called")
    return outcome


def _outcome_of(session: Session, work: Any) -> Outcome:
    """How ``work`` ended: a fault stands before everything that the tests make of it."""
    error: BaseException | None = None
    try:
        work()
    except BaseException as caught:  # noqa: BLE001 - tests that end in any way have not passed
        error = caught
    if session.fault is not None:
        if not session.begun:
            return Outcome("not_begun", "")
        kind = "gone" if isinstance(session.fault, Gone) else "fault"
        return Outcome(kind, str(session.fault), session.changed)
    if error is not None:
        return _failure(session, error)
    return Outcome("passed", "", session.changed)


def _failure(session: Session, error: BaseException) -> Outcome:
    raised = session.raised
    if raised is not None and raised.error is error:
        kind = "memory" if isinstance(error, MemoryError) else "failed"
        return Outcome(kind, _in_words(raised.name, raised.message, raised.line, ""), session.changed)
    if isinstance(error, SyntaxError) and error.filename == protocol.PROGRAM_NAME:
        return Outcome("failed", _in_words(type(error).__name__, error.msg, error.lineno or 0, ""), session.changed)
    detail = _in_words(type(error).__name__, _text_of(error), _line_in_tests(error), " of the tests")
    return Outcome("failed", detail, session.changed)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except (ValueError, RecursionError, MemoryError):  # it holds a program's number of five thousand digits
        return ""


def _in_words(name: str, text: str, line: int, of: str) -> str:
    first = text[: protocol.LONGEST_MESSAGE].strip().splitlines()[:1]
    return (f"{name}: {first[0]}" if first else name) + (f" (line {line}{of})" if line else "")


def _line_in_tests(error: BaseException) -> int:
    line, entry = 0, error.__traceback__
    while entry is not None:
        if entry.tb_frame.f_code.co_filename == Check.FILE_NAME:
            line = entry.tb_lineno
        entry = entry.tb_next
    return line


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
    if outcome.kind == "not_begun":
        return "not_judged", f"the program's process could not be set up (exit status {ending.exit_code})"
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
