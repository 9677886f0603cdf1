"""One program as the judge sees it: a socket to a fork of the zygote, over which calls go and claims come back.

Whatever is irregular after the source was handed over is the program's fault, and stands whatever the tests make of it.
"""

from __future__ import annotations

import array
import ast
import builtins
import contextlib
import marshal
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from . import candidate, channel, codec, many_answers, protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .many_answers import Answer

# A crash of this process on a source costs a worker: what is large is compiled where it runs.
_LONGEST_COMPILED_HERE = 1 << 16
_MOST_LINES = 1 << 31
_ANSWER_LIMIT_BYTES = codec.MAX_BYTES + 64
_ENDING = (StopIteration, StopAsyncIteration)
# StopIteration would end a loop of the tests as if it had gone well; what is no Exception is not to be caught by them.
_REBUILT = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and not issubclass(kind, (*_ENDING, Warning, BaseExceptionGroup))
    and kind.__name__ == name
}

# Of other modules, if the tests have imported them; the names are the modules' own.
_OF_MODULES = {
    "JSONDecodeError": "json",
    "FrozenInstanceError": "dataclasses",
    "StatisticsError": "statistics",
    **dict.fromkeys(("InvalidOperation", "DivisionByZero", "Inexact", "Overflow", "Rounded"), "decimal"),
}


class Fault(BaseException):
    """Something irregular that the program did; it stands whatever the tests make of it."""


class Gone(Fault):
    """The program's process has ended."""


class WorkerLost(Exception):  # noqa: N818 - not an error here: the harness replaces the worker
    """The zygote can't be reached, or can't fork. ``begun``: after the program was handed over."""

    def __init__(self, reason: str, *, begun: bool = False) -> None:
        super().__init__(reason)
        self.begun = begun


class Ending(NamedTuple):
    """The zygote's report of one program: why it ended, its exit code (minus the signal), and what it used."""

    cause: str
    exit_code: int
    cpu_s: float
    peak_memory_kib: int


class Raised(NamedTuple):
    """What a program raised last: as it was rebuilt here, what it is called and says there, and the program's line.

    ``tag`` is one of ``protocol.RAISINGS``: whether it says that something was refused.
    """

    error: BaseException
    name: str
    message: str
    line: int
    tag: bytes


class Session:
    """One program in its fork. Leaving the ``with`` block kills it; ``ending`` is known from then on.

    Raises:
        WorkerLost: there is no fork to be had.
    """

    ending: Ending

    def __init__(
        self,
        control: socket.socket,
        cpu_s: float,
        *,
        write_back: bool = False,
        answer_bytes: int = _ANSWER_LIMIT_BYTES,
    ) -> None:
        self._control = control
        self._order = protocol.order(protocol.RUN + str(cpu_s).encode())
        self._write_back = write_back
        self._answer_bytes = answer_bytes
        self._token = b""
        self._turn = threading.RLock()  # tests may call from several threads
        self.begun = False
        self.answers = 0
        self.call_s = cpu_s
        self.changed = False
        self.fault: Fault | None = None
        self.raised: Raised | None = None
        self.unsent = ""

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
        self._receiver = channel.Receiver(mine.fileno(), self._answer_bytes)
        return self

    def __exit__(self, *_: object) -> None:
        self._mine.close()
        try:
            last = protocol.GONE if isinstance(self.fault, Gone) else protocol.KILL
            self._control.send(protocol.order(last))
            report = heard_from(self._control).decode(errors="replace")
        except OSError:
            report = ""
        if not report or report.startswith(protocol.FAILED.decode()):
            raise WorkerLost(report or "the zygote is gone", begun=self.begun)
        cause, exit_code, cpu_us, peak_memory_kib = report.split()
        if self.fault is not None and not self.begun:  # nothing of the program has run yet
            raise WorkerLost(f"the program's process could not be set up (exit status {exit_code})")
        self.ending = Ending(cause, int(exit_code), int(cpu_us) / 1e6, int(peak_memory_kib))

    def load(self, program: str, *, compile_here: bool) -> None:
        """Run the program's own statements, which define what is called later."""
        source = program.encode("utf-8", "surrogatepass")
        payload = protocol.SOURCE, source
        if compile_here and len(source) <= _LONGEST_COMPILED_HERE:
            code = candidate.compile_program(program)
            with contextlib.suppress(ValueError):  # nested too deep for marshal, which is no fault
                payload = protocol.CODE, marshal.dumps(code)
        answer = self._first_answer(b"".join(payload))
        if answer[:1] in protocol.RAISINGS:
            raise self._rebuilt(answer)
        if answer != protocol.DONE:
            raise self._intruded()

    def _first_answer(self, message: bytes) -> bytes:
        """What a program says that has been set up, and then heard ``message``."""
        self._send(message)
        self.begun = self._hear(0) == protocol.READY
        if not self.begun:
            raise self._intruded()
        return self._receive()

    def _intruded(self) -> Fault:
        return self._failed(Fault("wrote into the harness's own channel"))

    def know(self, classes: dict[str, type], shared: dict[str, object]) -> None:
        """Hear of the problem's own classes and objects, of which none crosses here."""

    def call(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What the program's function returns; where it changes its arguments in place, so are they here."""
        try:
            message = protocol.CALL + codec.encode((name, arguments, named))  # a generator among them may call, too
        except codec.Unsendable as error:
            raise self.unaskable(error) from None
        with self._turn:
            if self.fault is not None:
                raise self.fault
            self._send(message)
            return self._returned(self._receive(), arguments, named)

    def unaskable(self, reason: object) -> Fault:
        """What the tests hand over does not cross. A fault: they would take an exception for one of the program's."""
        return self._failed(Fault(f"was not asked: {reason}"))

    def _returned(self, answer: bytes, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        kind, content = answer[:1], answer[1:]
        if kind in protocol.RAISINGS:
            error = self._rebuilt(answer)
            self.answers += 1
            raise error
        if kind == protocol.UNSENDABLE:
            self.answers += 1
            self.unsent = self.unsent or content[1:].decode(errors="replace")
            return codec.Unsent(truth=content[:1] == protocol.TRUE)
        try:
            if kind == protocol.VALUE:
                value = codec.decode(content)
            elif kind == protocol.CHANGED:
                value, new_arguments, new_named = codec.decode(content)
                self._change(arguments, new_arguments)
                self._change(tuple(named.values()), tuple(new_named.values()))
            else:
                raise codec.Malformed("of an unknown kind")  # noqa: TRY301
        except (codec.Malformed, TypeError, ValueError, AttributeError) as error:
            raise self._unreadable(error) from None
        self.answers += 1
        return value

    def ask(self, name: str, inputs: list[list[Any]], limit_s: float) -> Iterator[Answer]:
        """Yield what the program's function returns for each of ``inputs``, its arguments.

        No call may use more CPU time than ``limit_s``, and the twentieth of a second that answers may be late.
        """
        if self.fault is not None:
            raise self.fault
        self._allow(limit_s)
        self._send(protocol.ASK + marshal.dumps((name, inputs), many_answers.FORMAT))
        missing = len(inputs)
        while True:
            frame = self._receive()
            self._allow(limit_s)
            if frame[:1] in protocol.RAISINGS:
                raise self._rebuilt(frame)
            try:
                if frame[:1] != protocol.ANSWERS:
                    raise codec.Malformed("of an unknown kind")  # noqa: TRY301
                given = list(many_answers.answers_in(frame[1:]))
                if missing and not given:
                    raise codec.Malformed("no answer in it")  # noqa: TRY301
            except codec.Malformed as error:
                raise self._unreadable(error) from None
            missing -= len(given)
            self.answers += len(given)
            yield from given
            if missing < 0:
                raise self._unreadable(f"{-missing} more than were asked for")
            if missing == 0:
                return

    def readable(self, read: Callable[..., bool], *arguments: Any) -> bool:
        """What ``read`` makes of an answer; that it can't be read is the program's fault."""
        try:
            return read(*arguments)
        except codec.Malformed as error:
            raise self._unreadable(error) from None

    def _allow(self, cpu_s: float) -> None:
        self.call_s = cpu_s
        with contextlib.suppress(OSError):  # the zygote is gone, which the next receive finds
            self._control.send(protocol.order(protocol.ALLOW + f" {cpu_s:.6g}".encode()))

    def _unreadable(self, reason: object) -> Fault:
        return self._failed(Fault(f"sent an answer that can't be read ({reason})"))

    def _change(self, olds: tuple[Any, ...], news: tuple[Any, ...]) -> None:
        for old, new in zip(olds, news, strict=True):
            if codec.encode(old) != codec.encode(new):
                self.changed = True
                if self._write_back:
                    _change_in_place(old, new)

    def _send(self, message: bytes) -> None:
        try:
            self._token = os.urandom(protocol.TOKEN_BYTES)
            channel.send(self._mine.fileno(), message, self._token)
        except OSError:
            raise self._failed(Gone()) from None

    def _receive(self) -> bytes:
        """What the program says to the last message, and could not have said before."""
        answer = self._hear(protocol.TOKEN_BYTES)
        if self._receiver.token != self._token:
            raise self._intruded()
        return answer

    def _hear(self, token_bytes: int) -> bytes:
        try:
            answer = self._receiver.receive(token_bytes)
        except channel.BadFrame as error:
            raise self._unreadable(error) from None
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
            facts = codec.decode(answer[1:])
        except codec.Malformed as broken:
            return self._unreadable(broken)
        return self._error_of(facts, answer[:1])

    def _error_of(self, facts: Any, tag: bytes, own: Any = None) -> BaseException:
        """The exception of ``facts``, or itself, ``own``, if it is of one of the problem's classes."""
        try:
            names, message, line = facts
        except (TypeError, ValueError) as broken:
            return self._unreadable(broken)
        if not (_is_names(names) and type(message) is str and type(line) is int and 0 <= line < _MOST_LINES):
            return self._unreadable("it describes no exception")
        error: BaseException
        if "Exception" not in names:
            error = self._beyond(names, message)
        elif isinstance(own, Exception) and not isinstance(own, _ENDING):
            error = own
        else:
            ends = {"StopIteration", "StopAsyncIteration"} & set(names)
            known = (kind for name in names if (kind := _kind_named(name)) and not ends)
            error = _new(next(known, RuntimeError if ends else Exception), message)
        if error is not self.fault:
            self.raised = Raised(error, names[0], message, line, tag)
        return error

    def _beyond(self, names: list[str], message: str) -> BaseException:  # noqa: ARG002 - other sessions need it
        """What becomes of an exception that ends more than a call."""
        return self._failed(Fault(f"raised {names[0]}"))


def _kind_named(name: str) -> type[Exception] | None:
    """What the tests know by this name."""
    module = sys.modules.get(_OF_MODULES.get(name, ""))
    return _REBUILT.get(name) or (vars(module)[name] if module else None)


def _is_names(names: object) -> bool:
    if type(names) is not list or not 0 < len(names) <= protocol.MOST_NAMES:
        return False
    return all(type(name) is str for name in names)


class _Key:
    """A key that is not known here: all that is known is how a KeyError's text names it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _key_error(text: str) -> KeyError:
    """The KeyError with this text, which is the ``repr`` of its key; with the very key if that is a plain one."""
    with contextlib.suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        key = ast.literal_eval(text)
        if repr(key) == text:
            return KeyError(key)
    return KeyError(_Key(text))


def _new(kind: type[Exception], text: str) -> Exception:
    try:
        return _key_error(text) if kind is KeyError else kind(text)
    except TypeError:  # UnicodeDecodeError wants five arguments
        return kind.__new__(kind, text)


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


def heard_from(control: socket.socket) -> bytes:
    """The zygote's next report, empty where it is gone."""
    return control.recv(protocol.REPORT_BYTES, socket.MSG_WAITALL).rstrip()
