"""What a program answers to many calls at once: of each call the CPU time it took, and the value's kind and bytes.

Most values cross as ``marshal`` writes them, many times as fast as ``codec`` would: the judge mostly needs no more than
to see that the bytes are those of the canonical solution's answer. It never loads them, see ``marshalled``.
"""

from __future__ import annotations

import marshal
import sys
from time import perf_counter, process_time
from typing import NamedTuple

from . import codec, protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

MARSHALLED, CODED, UNSENDABLE = b"m", b"c", b"u"
FORMAT = 2
"""Of marshal: the newest in which equal values of one plain type mostly have equal bytes."""
MAX_BYTES = 64 << 20
"""Of a frame of answers: a sixteenth of the memory that a program may use."""

_SIZE_BYTES = 4
_HEAD_BYTES = 1 + 2 * _SIZE_BYTES
_FULL_BYTES = 1 << 16
_LONGEST_S = 0.05


class Answer(NamedTuple):
    """``took_s`` is the program's own claim."""

    kind: bytes
    took_s: float
    content: bytes


def answer_all(request: bytes, namespace: dict[str, object], send: Callable[[bytes], None]) -> None:
    """Call a function of the program with each of many arguments, and send the answers as they come.

    A frame is sent when it is full or old, so that the judge sees how far the program is. Of no calls there is one
    frame without answers.
    """
    name, inputs = marshal.loads(request)
    if name not in namespace:
        raise NameError(f"name {name!r} is not defined")
    function = namespace[name]
    frame, begun_s = bytearray(protocol.ANSWERS), perf_counter()
    for arguments in inputs:
        if len(frame) > _FULL_BYTES or perf_counter() - begun_s > _LONGEST_S:
            send(bytes(frame))
            frame, begun_s = bytearray(protocol.ANSWERS), perf_counter()
        started_s = process_time()
        value = function(*arguments)  # type: ignore[operator]
        took_s = process_time() - started_s
        kind, content = _encoded(value)
        frame += kind + _size(int(took_s * 1e6)) + _size(len(content)) + content
    send(bytes(frame))


def answers_in(frame: bytes) -> Iterator[Answer]:
    """Yield the answers of a frame, without its tag. Raises :class:`codec.Malformed`."""
    at = 0
    while at < len(frame):
        start = at + _HEAD_BYTES
        took_us, size = (int.from_bytes(frame[i : i + _SIZE_BYTES], "little") for i in (at + 1, at + 1 + _SIZE_BYTES))
        if start + size > len(frame):
            raise codec.Malformed("it ends inside an answer")
        yield Answer(frame[at : at + 1], took_us / 1e6, frame[start : start + size])
        at = start + size


def _encoded(value: Any) -> tuple[bytes, bytes]:
    """The kind and the bytes of a value. marshal takes numbers of numpy for the bytes that they consist of."""
    if "numpy" not in sys.modules:
        try:
            return MARSHALLED, marshal.dumps(value, FORMAT)
        except ValueError:  # of a type that marshal does not know
            pass
    try:
        return CODED, codec.encode(value)
    except codec.Unsendable as error:
        return UNSENDABLE, str(error).encode("utf-8", "backslashreplace")[: protocol.LONGEST_MESSAGE]


def _size(number: int) -> bytes:
    return min(number, (1 << 32) - 1).to_bytes(_SIZE_BYTES, "little")
