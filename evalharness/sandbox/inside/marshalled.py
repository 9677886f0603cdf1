"""Values in marshal's format 2, read without trust: ``marshal.loads`` can be made to crash by bytes made for it."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - it is a class
from typing import TYPE_CHECKING, Any

from .codec import MAX_DEPTH, Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

_INTEGER, _FLOAT = Struct("<i"), Struct("<d")
_DIGIT_BITS = 15
_MOST_ITEMS = 1 << 24
"""In all containers of one value: what they take in memory is bounded with them."""


def decode(data: bytes) -> Any:
    """The value of ``data``. Raises :class:`Malformed` and nothing else, ``MemoryError`` aside."""
    reader = _Bytes(data)
    try:
        value = reader.value()
    except (ArithmeticError, LookupError, RecursionError, StructError, TypeError, ValueError) as error:
        raise Malformed(f"{type(error).__name__} near byte {reader.at}") from error
    if reader.at != len(data):
        raise Malformed(f"{len(data) - reader.at} bytes after the value")
    return value


class _Bytes:
    """Bytes being read. ``at`` is the next one's place."""

    def __init__(self, data: bytes) -> None:
        self.at = 0
        self._data = data
        self._depth = 0
        self._items = 0

    def value(self) -> Any:
        return _READERS[self.take(1)](self)

    def take(self, size: int) -> bytes:
        start, self.at = self.at, self.at + size
        if not start <= self.at <= len(self._data):
            raise Malformed(f"{size} bytes from byte {start} on, of {len(self._data)}")
        return self._data[start : self.at]

    def number(self) -> int:
        number: int = _INTEGER.unpack(self.take(_INTEGER.size))[0]
        return number

    def float(self) -> float:
        number: float = _FLOAT.unpack(self.take(_FLOAT.size))[0]
        return number

    def long(self) -> int:
        """An integer in digits of 15 bits, the lowest first; their number has the sign."""
        size = self.number()
        digits = memoryview(self.take(2 * abs(size))).cast("H")
        bits = "".join(f"{digit:0{_DIGIT_BITS}b}" for digit in reversed(digits))
        return int(bits, 2) if size > 0 else -int(bits, 2)

    def items(self) -> list[Any]:
        """As many values as the size says; short integers and floats without a call for each, for there are many."""
        size = self.number()
        self._enter(size)
        items: list[Any] = []
        data, at = self._data, self.at
        for _ in range(size):
            tag = data[at : at + 1]
            if tag == b"i":
                items += _INTEGER.unpack_from(data, at + 1)
                at += 1 + _INTEGER.size
            elif tag == b"g":
                items += _FLOAT.unpack_from(data, at + 1)
                at += 1 + _FLOAT.size
            else:
                self.at = at
                items.append(self.value())
                at = self.at
        self.at = at
        self._depth -= 1
        return items

    def pairs(self) -> dict[Any, Any]:
        """Keys and values up to a null."""
        self._enter(1)
        pairs = {}
        while self._data[self.at] != ord("0"):
            self._count(2)
            key = self.value()
            pairs[key] = self.value()
        self.at += 1
        self._depth -= 1
        return pairs

    def _enter(self, size: int) -> None:
        if size < 0:
            raise Malformed(f"a size of {size}")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Malformed(f"more than {MAX_DEPTH} containers in one another")
        self._count(1 + size)

    def _count(self, items: int) -> None:
        self._items += items
        if not 0 <= self._items <= _MOST_ITEMS:
            raise Malformed(f"more than {_MOST_ITEMS} items")


_READERS: dict[bytes, Callable[[_Bytes], Any]] = {
    b"N": lambda _: None,
    b"T": lambda _: True,
    b"F": lambda _: False,
    b".": lambda _: ...,
    b"i": _Bytes.number,
    b"l": _Bytes.long,
    b"g": _Bytes.float,
    b"y": lambda data: complex(data.float(), data.float()),
    b"s": lambda data: data.take(data.number()),
    b"u": lambda data: data.take(data.number()).decode("utf-8", "surrogatepass"),
    b"(": lambda data: tuple(data.items()),
    b"[": _Bytes.items,
    b"{": _Bytes.pairs,
    b"<": lambda data: set(data.items()),
    b">": lambda data: frozenset(data.items()),
}
