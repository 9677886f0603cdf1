"""A member of a fleet that is a process of this machine, with an interpreter of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import IO, TYPE_CHECKING, Any

from evalharness.errors import EvaluationError
from evalharness.pipeline.spreading.fleet import Lost, Member
from evalharness.pipeline.spreading.local_worker import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from evalharness.pipeline.spreading.fleet import Worker

PROGRAM = "import sys; from evalharness.pipeline.spreading.local_worker import main; main(int(sys.argv[1]))"
WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class LocalHost:
    """Starts processes; ``worker_of`` gives the maker of the worker of a seat, ``variables`` what to add to theirs."""

    worker_of: Callable[[int], Callable[[], Worker]]
    variables: Mapping[str, str]

    def start(self, number: int) -> LocalProcess:
        """Start the process of a seat."""
        return LocalProcess(self.worker_of(number), self.variables)

    def wait(self, members: Collection[Member]) -> list[Member]:
        """Those that have sent something, or have ended."""
        by_connection = {m.connection: m for m in members if isinstance(m, LocalProcess)}
        return [by_connection[each] for each in wait(list(by_connection), WAIT_S) if isinstance(each, Connection)]


class LocalProcess:
    """A process that makes a worker and then works on what it is given. It ends with this process, however that ends.

    What it prints is not shown: the last line on its stderr tells why it was lost.
    """

    def __init__(self, make: Callable[[], Worker], variables: Mapping[str, str]) -> None:
        self.connection, theirs = Pipe()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109 - as it is, links and all
        command = [sys.executable, "-P", "-c", PROGRAM, str(theirs.fileno())]
        try:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env={**os.environ, **variables, "PYTHONPATH": path},
            )
        except OSError as error:
            self.connection.close()
            raise Lost(f"no process can be started: {error}") from error
        finally:
            theirs.close()
        self._send(make)

    def give(self, items: Mapping[Any, Any]) -> None:
        """See `Member`."""
        self._send(dict(items))

    def collect(self) -> Mapping[Any, Any]:
        """See `Member`. What the work raises is an EvaluationError here."""
        try:
            results: Mapping[Any, Any] | Fault = self.connection.recv()
        except (EOFError, OSError) as error:
            raise Lost(self._ending()) from error
        if isinstance(results, Fault):
            raise EvaluationError(results.message)
        return results

    def leave(self) -> None:
        """See `Member`. It holds nothing."""

    def end(self) -> None:
        """See `Member`."""
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self._errors.close()

    def _send(self, message: Any) -> None:
        try:
            self.connection.send(message)
        except OSError as error:
            raise Lost(self._ending()) from error

    def _ending(self) -> str:
        """How the process ended: by which signal, or with which last words."""
        code = self.process.wait()
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return f"exit code {code}: {lines[-1] if lines else 'it printed nothing'}"
