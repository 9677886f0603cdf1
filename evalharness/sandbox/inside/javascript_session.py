"""A program in JavaScript and its tests, each in an interpreter of its own: calls go through the judge's process.

The tests' interpreter runs beside the judge. It holds the expected values, and hears of the program only plain values
as JSON, which this process has read.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import channel, kernel, protocol
from .judged_program import Session

if TYPE_CHECKING:
    import socket

_FOLDER = Path(__file__).parent / "javascript"
_LONGEST_BYTES = 32 << 20
_BRANDED = ("name", "message")
_RUNNING = re.compile(
    r"\b(?:eval|Function|import)\s*\(|\brequire\s*\(\s*[^\s\"'`]|[\"'`](?:node:)?(?:child_process|cluster|inspector|module|repl|vm|worker_threads)[\"'`]"
)
"""What tests could run an answer with, in the interpreter beside the judge. Only plain uses are looked for."""


def source(name: str) -> str:
    """The source of ``judge`` or ``program``, with what both need, in a scope of its own."""
    parts = "".join((_FOLDER / f"{part}.js").read_text(encoding="utf-8") for part in ("values", name))
    return f"(() => {{\n{parts}}})();"


def could_be_run(tests: str) -> bool:
    """Whether something that is not written in the tests themselves could be run by them."""
    return _RUNNING.search(tests) is not None


class Failed(Exception):  # noqa: N818 - a program's failure, none of the judge's
    """The tests failed, or the program could not be run; the text is the error's name and message."""


class JavaScriptSession(Session):
    """See :class:`Session`; the fork becomes the interpreter ``command[0]``."""

    def __init__(self, control: socket.socket, cpu_s: float) -> None:
        super().__init__(control, cpu_s, answer_bytes=_LONGEST_BYTES)
        self._order = protocol.order(protocol.EXECUTE + str(cpu_s).encode())

    def define(self, program: str) -> None:
        """Run the program's own statements. Raises :class:`Failed` if they throw."""
        answer = self._first_answer(protocol.SOURCE + program.encode("utf-8", "surrogatepass"))
        if answer[:1] == protocol.RAISED:
            raise Failed(_words(self._read(answer[1:])))
        if answer != protocol.DONE:
            raise self._intruded()

    def answer(self, name: str, arguments: Any) -> dict[str, Any]:
        """What a function of the program returns or throws, as the tests' interpreter reads it."""
        self._send(protocol.CALL + json.dumps([name, arguments]).encode())
        answer = self._receive()
        kind, content = answer[:1], self._read(answer[1:])
        if kind == protocol.VALUE:
            self.answers += 1
            return {"value": content}
        if kind == protocol.RAISED and _is_told(content):
            self.answers += 1
            return {"raised": content}
        raise self._unreadable("of an unknown kind")

    def _read(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._unreadable(type(error).__name__) from None


def run_tests(session: JavaScriptSession, interpreter: str, tests: str, names: list[str]) -> None:
    """Run the tests against a program that is defined. Raises :class:`Failed`, or a fault of the session."""
    with subprocess.Popen(  # noqa: S603 - the interpreter that the harness has found
        [interpreter, "-e", source("judge")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        preexec_fn=kernel.die_with_parent,  # noqa: PLW1509 - this process has one thread
    ) as process:
        assert process.stdin is not None  # noqa: S101 - for the type checker
        assert process.stdout is not None  # noqa: S101 - for the type checker
        try:
            _converse(session, process.stdin.fileno(), process.stdout.fileno(), {"tests": tests, "names": names})
        finally:
            process.kill()


def _converse(session: JavaScriptSession, to: int, of: int, job: dict[str, Any]) -> None:
    receiver = channel.Receiver(of, _LONGEST_BYTES)
    message: dict[str, Any] = job
    while True:
        with contextlib.suppress(OSError):  # it has ended, which the next receive finds
            channel.send(to, json.dumps(message).encode())
        try:
            said = receiver.receive()
        except (channel.BadFrame, OSError):
            said = None
        if said is None:
            raise Failed("the tests' interpreter ended: an answer needs more memory than it has")
        told = json.loads(said)
        if "call" not in told:
            break
        message = session.answer(told["call"], told["arguments"])
    if "failed" in told:
        raise Failed(_words(told["failed"]))


def _is_told(content: Any) -> bool:
    return (
        isinstance(content, list) and len(content) == len(_BRANDED) and all(isinstance(text, str) for text in content)
    )


def _words(content: Any) -> str:
    """The name and the first line of the message of what was thrown."""
    if not _is_told(content):
        return "threw no error"
    name, message = content
    first = message.strip().splitlines()[:1]
    return f"{name}: {first[0]}" if first else str(name)
