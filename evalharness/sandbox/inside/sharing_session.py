"""A program whose objects the tests share: for problems whose tests see more than plain values, see ``peer``.

The verdict is still the judge's. What a program can do that it can't do otherwise: change the objects that the tests
have handed over, be asked for more while the tests hold what it returned, and call the tests' own functions, which are
let out only of tests that could not be made to run what they are given.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from . import codec, errors_told, protocol
from .judged_program import Fault, Session
from .peer import Peer

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection

_BROKEN = (codec.Malformed, TypeError, ValueError, LookupError, AttributeError, RecursionError)


class SharingSession(Session):
    """See :class:`Session`. Of the prompt's objects only those in ``may_change`` can be changed; None: all of them."""

    def __init__(
        self,
        control: socket.socket,
        cpu_s: float,
        *,
        write_back: bool = False,
        may_change: Collection[str] | None = None,
    ) -> None:
        super().__init__(control, cpu_s, write_back=write_back)
        self._peer = _JudgePeer(self)
        self._may_change = may_change
        self._numbers: dict[str, int] = {}
        self.assertion: AssertionError | None = None

    def know(self, classes: dict[str, type], shared: dict[str, object]) -> None:
        """Share instances of the problem's own classes, and what these names of its prompt mean."""
        self._peer.objects.classes = classes
        objects = self._peer.objects
        self._numbers = {name: objects.number_of(value) for name, value in shared.items()}
        if self._may_change is not None:
            objects.fixed = frozenset(n for name, n in self._numbers.items() if name not in self._may_change)
        self._send(protocol.KNOW + codec.encode((list(classes), list(self._numbers.items()))))

    @property
    def changed_names(self) -> frozenset[str]:
        """The objects of the prompt that the program has changed, or in which it has changed something."""
        objects = self._peer.objects
        return frozenset(n for n, number in self._numbers.items() if objects.with_parts((number,)) & objects.changed)

    def call(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """See :class:`Session`."""
        return self._peer.ask("call", name, arguments, named)

    def send_frame(self, frame: bytes) -> None:
        """Send one frame to the program."""
        if self.fault is not None:
            raise self.fault
        self._send(frame)

    def receive_frame(self) -> bytes:
        """Wait for the program's next frame."""
        return self._receive()

    def unreadable(self, reason: object) -> Fault:
        """The fault of a program that sent what can't be read."""
        return self._unreadable(reason)

    def rebuilt(self, told: Any, own: Any) -> BaseException:
        """The exception that the program raised; one of the problem's own classes as it is."""
        if not (isinstance(told, tuple) and len(told) == _FACTS_OF_ERRORS):
            return self._unreadable("it describes no exception")
        *facts, tag = told
        return self._error_of(facts, tag if tag in protocol.RAISINGS else protocol.RAISED, own=own)

    def rebuilt_of(self, frame: bytes) -> BaseException:
        """The exception that ended the conversation."""
        return self._rebuilt(frame)

    def _beyond(self, names: list[str], message: str) -> BaseException:
        """See :class:`Session`. Tests that need it may wait for SystemExit."""
        return SystemExit(message) if "SystemExit" in names else super()._beyond(names, message)

    def note_answer(self) -> None:
        """Count an answer."""
        self.answers += 1

    def note_changes(self) -> None:
        """Remember that objects of the tests were changed, whatever the program says after that."""
        self.changed |= bool(self._peer.objects.changed)

    def note_error(self, error: BaseException) -> None:
        """Remember an assertion of the tests that failed in a function of theirs: the program may keep it to itself."""
        if isinstance(error, AssertionError):
            self.assertion = self.assertion or error

    @property
    def keeps_changes(self) -> bool:
        """Whether what the program changes of the tests' objects is changed here, too."""
        return self._write_back


_FACTS_OF_ERRORS = 4


class _JudgePeer(Peer):
    """Asks a program, and answers with the tests' own functions."""

    def __init__(self, session: SharingSession) -> None:
        super().__init__(0, session.send_frame, session.receive_frame, discards=not session.keeps_changes)
        self._session = session

    def say(self, *message: Any) -> None:
        """See :class:`Peer`."""
        try:
            super().say(*message)
        except codec.Unsendable as error:
            raise self._session.unaskable(error) from None

    def heard(self, frame: bytes) -> tuple[Any, ...]:
        """See :class:`Peer`. What can't be read is the program's fault."""
        if frame[:1] in protocol.RAISINGS:  # it was beyond saying anything else
            raise self._session.rebuilt_of(frame)
        try:
            message = super().heard(frame)
        except _BROKEN as error:
            raise self._session.unreadable(error) from None
        self._session.note_changes()
        return message

    def answered(self, kind: str, content: list[Any]) -> Any:
        """See :class:`Peer`. Each answer counts."""
        self._session.note_answer()
        return super().answered(kind, content)

    def value(self, flat: Any) -> Any:
        """See :class:`Peer`. What can't be read is the program's fault; what can't be sent is said later."""
        try:
            value = super().value(flat)
        except _BROKEN as error:
            raise self._session.unreadable(error) from None
        if isinstance(value, codec.Unsent):
            self._session.unsent = self._session.unsent or str(flat[-1])
        return value

    def told(self, error: BaseException) -> Any:
        """See :class:`Peer`."""
        self._session.note_error(error)
        return (*errors_told.told(error), protocol.RAISED)

    def error(self, told: Any, own: Any) -> BaseException:
        """See :class:`Peer`."""
        return self._session.rebuilt(told, own)

    def print(self, texts: Any) -> None:
        """Into the tests' streams, which they may have redirected."""
        if type(texts) is not tuple or [type(text) for text in texts] != [str, str]:
            raise codec.Malformed("no text was printed")
        for stream, text in zip((sys.stdout, sys.stderr), texts, strict=True):
            stream.write(text)
