"""The program's side of a conversation about shared objects, see ``peer``."""

from __future__ import annotations

import builtins
import io
import sys

from . import errors_told
from .peer import ASK, Peer
from .shared_objects import GET, SET, SPECIAL, TRUTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LONGEST_PRINTED = 1 << 20


def _special(value: Any, name: str, *arguments: Any, **named: Any) -> Any:
    """What Python would do for an object: its class decides."""
    return getattr(type(value), name)(value, *arguments, **named)


_OF_OBJECTS: dict[str, Callable[..., Any]] = {GET: getattr, SET: setattr, TRUTH: bool, SPECIAL: _special}


class ProgramPeer(Peer):
    """Answers with what the program's own functions do."""

    answerable = BaseException

    def __init__(self, namespace: dict[str, Any], send: Callable[[bytes], None], receive: Callable[[], bytes]) -> None:
        super().__init__(1, send, receive)
        self._namespace = namespace
        self._streams = io.StringIO(), io.StringIO()
        sys.stdout, sys.stderr = self._streams

    def serve(self, frame: bytes) -> None:
        """Answer one message that asks."""
        kind, *content = self.heard(frame)
        if kind == ASK:
            self.answer(content)

    def know(self, classes: list[str], numbered: list[tuple[str, int]]) -> None:
        """Share instances of these classes, and the objects that these names mean, under these numbers."""
        of_names = ((name, self._namespace.get(name)) for name in classes)
        self.objects.classes = {name: kind for name, kind in of_names if isinstance(kind, type)}
        for name, number in numbered:
            self.objects.keep(number, self._namespace.get(name))

    def do(self, operation: str, target: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """See :class:`Peer`; a name means the program's own."""
        if isinstance(target, str):
            if target not in self._namespace:
                raise NameError(f"name {target!r} is not defined")
            return self._namespace[target](*arguments, **named)
        if operation == "run":
            import asyncio  # noqa: PLC0415 - few tests await anything

            return asyncio.run(self.objects.own(target))
        if operation in _OF_OBJECTS:
            return _OF_OBJECTS[operation](self.objects.own(target), *arguments, **named)
        return super().do(operation, target, arguments, named)

    def told(self, error: BaseException) -> Any:
        """See :class:`Peer`."""
        return (*errors_told.told(error), errors_told.tag_of(error))

    def error(self, told: Any, own: Any) -> BaseException:
        """See :class:`Peer`."""
        names, message, *_ = told
        kinds = (getattr(builtins, name, None) for name in names)
        return own or next((k(message) for k in kinds if isinstance(k, type) and k is not KeyError), Exception(message))

    def printed(self) -> tuple[str, str]:
        """See :class:`Peer`."""
        texts = tuple(stream.getvalue()[:_LONGEST_PRINTED] for stream in self._streams)
        for stream in self._streams:
            stream.seek(0)
            stream.truncate()
        return texts  # type: ignore[return-value]
