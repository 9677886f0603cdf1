"""One side of a conversation about shared objects, in the judge or in a program: both ask, and answer meanwhile.

A message is a frame of ``codec``. Either (ASK, operation, target, arguments, changes, printed) or an answer: (VALUE,
value, changes, printed), (STOP, changes, printed) or (RAISED, what ``errors_told.told`` says, own, changes, printed).
``printed`` is what was printed since the last message, as two texts.
"""

from __future__ import annotations

from _thread import RLock

from . import codec, protocol
from .shared_objects import SharedObjects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ASK, VALUE, STOP, RAISED = "ask", "value", "stop", "raised"
_LENGTHS = {ASK: 4, VALUE: 2, STOP: 1, RAISED: 3}
_SILENT = ("", "")
_NO_ITERATOR = (["RuntimeError", "Exception"], "only an iterator can end", 0, False)


class Peer:
    """``send`` and ``receive`` frames. What the two sides do differently is in the subclasses."""

    objects: SharedObjects

    def __init__(
        self, first: int, send: Callable[[bytes], None], receive: Callable[[], bytes], *, discards: bool = False
    ) -> None:
        self.objects = SharedObjects(first, self.ask, discards=discards)
        self._send = send
        self._receive = receive
        self._turn = RLock()  # one thread of this side asks at a time, and whatever it is asked meanwhile it answers

    def ask(self, operation: str, target: Any, arguments: tuple[Any, ...] = (), named: Any = None) -> Any:
        """What the other side answers. Raises what it raised."""
        with self._turn:
            return self._ask(operation, target, arguments, named)

    def _ask(self, operation: str, target: Any, arguments: tuple[Any, ...], named: Any) -> Any:
        self.say(ASK, operation, target, self.objects.flat((arguments, tuple((named or {}).items()))))
        while True:
            kind, *content = self.heard(self._receive())
            if kind != ASK:
                if kind == STOP and operation != "next":  # it would end a loop of the tests
                    kind, content = RAISED, [_NO_ITERATOR, None]
                return self.answered(kind, content)
            self.answer(content)

    def answer(self, asked: list[Any]) -> None:
        """Do what the other side asks, and tell it what that came to."""
        operation, target, flat = asked
        try:
            arguments, named = self.objects.value(flat)
            value = self.objects.flat(self.do(operation, target, arguments, dict(named)))
        except StopIteration as error:
            if operation == "next":
                self.say(STOP)
            else:
                self._say_raised(error)
        except self.answerable as error:
            self._say_raised(error)
        else:
            self.say(VALUE, value)

    def _say_raised(self, error: BaseException) -> None:
        own = type(error) in self.objects.classes.values()
        self.say(RAISED, self.told(error), self.objects.flat(error) if own else None)

    def say(self, *message: Any) -> None:
        """Send a message with what has changed. Raises ``codec.Unsendable``."""
        changes = self.objects.changes()
        self._send(protocol.SHARED + codec.encode((*message, changes, self.printed())))

    def heard(self, frame: bytes) -> tuple[Any, ...]:
        """A message, after what it says of objects. Raises Malformed, TypeError, ValueError or LookupError."""
        if frame[:1] != protocol.SHARED:
            raise codec.Malformed("of an unknown kind")
        *message, changes, printed = codec.decode(frame[1:])
        if len(message) != _LENGTHS[message[0]]:
            raise codec.Malformed("a message of another length")
        self.objects.apply(changes)
        self.print(printed)
        return tuple(message)

    def answered(self, kind: str, content: list[Any]) -> Any:
        """The value of an answer. Raises what it says."""
        if kind == VALUE:
            return self.value(content[0])
        if kind == STOP:
            raise StopIteration
        told, own = content
        raise self.error(told, None if own is None else self.value(own))

    def value(self, flat: Any) -> Any:
        """The value that the other side has flattened."""
        return self.objects.value(flat)

    # What differs between the two sides.

    answerable: type[BaseException] = Exception
    """What ``do`` may raise for the other side to hear of."""

    def do(self, operation: str, target: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call or go on with one of this side's objects."""
        value = self.objects.own(target)
        return next(value) if operation == "next" else value(*arguments, **named)

    def told(self, error: BaseException) -> Any:
        """What is told of an exception."""
        raise NotImplementedError

    def error(self, told: Any, own: Any) -> BaseException:
        """The exception of which the other side told; ``own``: itself, if it is of one of the problem's classes."""
        raise NotImplementedError

    def printed(self) -> tuple[str, str]:
        """What was printed since this was asked last."""
        return _SILENT

    def print(self, texts: Any) -> None:
        """What the other side has printed."""
