"""What the process of a `LocalProcess` runs."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from evalharness.pipeline.spreading.fleet import Worker


@dataclass(frozen=True, slots=True)
class Fault:
    """Sent in place of results: what this project's own error said."""

    message: str


def main(descriptor: int) -> None:
    """Make the worker that is sent first over the pipe ``descriptor``, and send back what it makes of every portion."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    connection = Connection(descriptor)
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, messages), daemon=True).start()
    try:
        worker: Worker = _next(messages)()
        while True:
            for results in worker.work(_next(messages)):
                connection.send(results)
    except EvalHarnessError as error:
        connection.send(Fault(str(error)))


def _receive(connection: Connection, messages: queue.SimpleQueue[bytes]) -> None:
    """Take in what is sent, so that the sender never waits; and end with the sender, in the midst of work, too."""
    try:
        while True:
            messages.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(1)


def _next(messages: queue.SimpleQueue[bytes]) -> Any:
    return pickle.loads(messages.get())  # noqa: S301 - from the process that started this one
