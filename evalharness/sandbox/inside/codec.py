"""Values as bytes and back, between the judge and a candidate who may write any bytes at all.

A frame is a tag, one byte, and what it needs: nothing, eight bytes of a double, a length and that number of bytes, or
items up to ``END``. A byte from 0x80 on is by itself one of the integers 0 to 127. Whatever nests is made of items, so
that depth is counted in one place on either side.

What arrives is always of a plain type or of one of this file's own: a subclass is sent as the content of its base,
read by the base's own methods, so that what it overrides is not asked, and arrives as a subclass that overrides
nothing. So it equals what it equalled, and is not of the exact type that it was not. Reading a frame calls constructors
of this file's tables and nothing else. A set mostly gives its elements in the order in which it gave them before. For
all other plain values without iterators ``encode(decode(frame)) == frame`` holds: to see whether a value was changed,
compare frames.

A number of numpy arrives as one of Python, and its arrays of short floating-point numbers as long ones: to a short
one large numbers are equal that are not (``float16("inf") == 10 ** 9``).

To add a type: a line in ``WRITERS`` (``LATE_WRITERS`` where its module need not be imported) and one in ``READERS``.
"""

from __future__ import annotations

import sys
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque
from itertools import chain

TYPE_CHECKING = False  # typing is not imported here: every page of a forked child costs
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Writer = Callable[[Any, bytearray, int], None]
    """Appends a value to a frame; the number is how many containers are open around it."""
    Reader = Callable[["_Frame"], object]
    """Reads a value whose tag has been read."""

MAX_BYTES = 32 << 20
MAX_DEPTH = 100
"""How many containers may lie in one another."""

END = ord(";")
_SMALL = 0x80
_LONG_LENGTH = 0xFF
# What the empty containers of a frame may take: an empty list is 2 bytes there and 64 here, an empty deque 768.
_MEMORY_PER_BYTE = 32
_MEMORY_BYTES = 16 << 20
_LIST_BYTES, _HASHED_BYTES, _DEQUE_BYTES = 64, 256, 832
_SET_ORDERS = 8
"""Orders of insertion that are tried to give a set its order again."""

CLASSES: tuple[type, ...] = (
    *(bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range),
    *(object, type, type(None), Counter, OrderedDict, defaultdict, deque),
)
"""The classes that cross as themselves, by their place here: as a value, or as what a defaultdict calls."""


class Unsendable(Exception):  # noqa: N818 - said of a value, as Malformed is of bytes
    """The value is of a type that does not cross, holds one, or is too large or too deep."""


class Malformed(Exception):  # noqa: N818
    """The bytes are not a frame, or not one that may be read."""


class Unsent:
    """What arrives of a value that does not cross: it is true or false, as it was, and equals nothing but itself."""

    __slots__ = ("_truth",)

    def __init__(self, *, truth: bool) -> None:
        self._truth = truth

    def __bool__(self) -> bool:
        return self._truth


def encode(value: object) -> bytes:
    """The frame of a value. Iterators are used up.

    Raises ``Unsendable``, and whatever an iterator or a metaclass of the value raises.
    """
    out = bytearray()
    _writer(value)(value, out, 0)
    _check_size(len(out))
    return bytes(out)


def tuple_of(*frames: bytes) -> bytes:
    """The frame of the tuple of what ``frames`` hold, which nobody need read for it. Raises ``Unsendable``."""
    out = b"".join((b"(", *frames, bytes([END])))
    _check_size(len(out))
    return out


def decode(data: bytes) -> Any:
    """The value of a frame; an iterator comes as one over a list.

    Takes memory for at most some sixty times the bytes given, and 16 MiB. Raises ``Malformed`` and nothing else,
    ``MemoryError`` aside.
    """
    if len(data) > MAX_BYTES:
        raise Malformed(f"{len(data)} bytes, expected at most {MAX_BYTES}")
    frame = _Frame(data)
    try:
        value = frame.value()
    # The end of the data, an unknown tag, bytes that are no text, a key without a hash, a number out of range, …
    except (ArithmeticError, ImportError, LookupError, RecursionError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(f"{type(error).__name__} near byte {frame.at}") from error
    if frame.at != len(data):
        raise Malformed(f"{len(data) - frame.at} bytes after the value")
    return value


def _check_size(size_bytes: int) -> None:
    if size_bytes > MAX_BYTES:
        raise Unsendable(f"a value of more than {MAX_BYTES} bytes can't be sent")


# A class can say anything of itself through its metaclass; these are what the interpreter itself goes by.
_bases_of = type.__dict__["__mro__"].__get__
_name_of = type.__dict__["__name__"].__get__


def _writer(value: object) -> Writer:
    """How to write a value: by its exact type, else by the nearest base that is known, else as an iterator."""
    kind = type(value)
    if kind in WRITERS:
        return WRITERS[kind]
    for base in _bases_of(kind):
        if writer := WRITERS.get(base) or _late_writer(base):
            is_subclass = base is not kind and (base in _SUBCLASSES or _name_of(base) in _LATE_SUBCLASSES)
            return _subclass_writer(writer) if is_subclass else writer
    if hasattr(kind, "__iter__") and hasattr(kind, "__next__"):
        return _write_iterator
    raise Unsendable(f"a value of type {_name_of(kind):.80} can't be sent")


def _late_writer(base: type) -> Writer | None:
    """The writer of a class whose module this one does not import: a value of it exists only where another did."""
    name = _name_of(base)
    if name not in LATE_WRITERS:
        return None
    module, writer = LATE_WRITERS[name]
    return writer if getattr(sys.modules.get(module), name, None) is base else None


def _subclass_writer(writer: Writer) -> Writer:
    def write(value: Any, out: bytearray, depth: int) -> None:
        out.extend(b"S")
        writer(value, out, depth)

    return write


def _write_items(items: Iterable[object], out: bytearray, depth: int) -> None:
    """Write items and their end; the size is looked at after each, because they may be without end."""
    if depth >= MAX_DEPTH:
        raise Unsendable(f"a value of more than {MAX_DEPTH} containers in one another can't be sent")
    depth += 1
    known = WRITERS.get
    for item in items:
        writer = known(type(item)) or _writer(item)
        writer(item, out, depth)
        if len(out) > MAX_BYTES:
            _check_size(len(out))
    out.append(END)


def _write_int(value: int, out: bytearray, depth: int) -> None:  # noqa: ARG001
    value = int.__index__(value)
    if 0 <= value < _SMALL:
        out.append(_SMALL + value)
        return
    size = value.bit_length() // 8 + 1  # one bit more than the magnitude, for the sign
    _check_size(size)
    _write_bytes(b"i", value.to_bytes(size, "little", signed=True), out)


def _write_float(value: float, out: bytearray, depth: int) -> None:  # noqa: ARG001
    cell = memoryview(bytearray(8)).cast("d")  # bit by bit, and without the struct module
    cell[0] = float.__float__(value)
    out += b"f"
    out += cell.tobytes()


def _write_str(value: str, out: bytearray, depth: int) -> None:  # noqa: ARG001
    _check_size(str.__len__(value))
    _write_bytes(b"s", str.encode(value, "utf-8", "surrogatepass"), out)


def _write_user_string(value: UserString, out: bytearray, depth: int) -> None:
    out += b"U"
    _write_str(value.data, out, depth)


def _write_class(value: type, out: bytearray, depth: int) -> None:  # noqa: ARG001
    place = next((place for place, known in enumerate(CLASSES) if known is value), None)
    if place is None:
        raise Unsendable(f"the class {_name_of(value):.80} can't be sent")
    out += b"C"
    out.append(place)


def _write_decimal(value: Any, out: bytearray, depth: int) -> None:  # noqa: ARG001
    text: str = sys.modules["decimal"].Decimal.__str__(value)
    _check_size(len(text))
    _write_bytes(b"D", text.encode(), out)


def _write_iterator(value: Iterable[object], out: bytearray, depth: int) -> None:
    out += b"~"
    _write_items(value, out, depth)


def _write_bytes(tag: bytes, content: bytes, out: bytearray) -> None:
    out += tag
    if len(content) < _LONG_LENGTH:
        out.append(len(content))
    else:
        out.append(_LONG_LENGTH)
        out += len(content).to_bytes(4, "little")
    out += content


def _constant(tag: bytes) -> Writer:
    def write(value: object, out: bytearray, depth: int) -> None:  # noqa: ARG001
        out.extend(tag)

    return write


def _binary(tag: bytes, content_of: Callable[[Any, slice], bytes | bytearray]) -> Writer:
    def write(value: Any, out: bytearray, depth: int) -> None:  # noqa: ARG001
        _check_size(len(content := content_of(value, slice(None))))
        _write_bytes(tag, bytes(content), out)

    return write


def _items(tag: bytes, items_of: Callable[[Any], Iterable[object]]) -> Writer:
    def write(value: Any, out: bytearray, depth: int) -> None:
        out.extend(tag)
        _write_items(items_of(value), out, depth)

    return write


def _pairs(tag: bytes, pairs_of: Callable[[Any], Iterable[tuple[object, object]]]) -> Writer:
    return _items(tag, lambda value: chain.from_iterable(pairs_of(value)))


_maxlen_of = deque.__dict__["maxlen"].__get__
_factory_of = defaultdict.__dict__["default_factory"].__get__


def _default_dict_items(value: defaultdict[Any, Any]) -> Iterable[object]:
    factory = _factory_of(value)
    known = any(factory is each for each in CLASSES)
    return chain((factory if known else None,), chain.from_iterable(dict.items(value)))


def _pairs_in_order(value: OrderedDict[Any, Any]) -> Iterable[tuple[object, object]]:
    # Not OrderedDict.items, which asks a subclass for each value.
    return ((key, dict.__getitem__(value, key)) for key in OrderedDict.__iter__(value))


WRITERS: dict[type, Writer] = {
    int: _write_int,
    str: _write_str,
    list: _items(b"[", list.__iter__),
    tuple: _items(b"(", tuple.__iter__),
    bool: lambda value, out, _depth: out.extend(b"T" if value else b"F"),
    float: _write_float,
    type(None): _constant(b"N"),
    dict: _pairs(b"{", dict.items),
    set: _items(b"<", set.__iter__),
    frozenset: _items(b"z", frozenset.__iter__),
    complex: _items(b"c", lambda value: (complex.real.__get__(value), complex.imag.__get__(value))),
    bytes: _binary(b"b", bytes.__getitem__),
    bytearray: _binary(b"a", bytearray.__getitem__),
    range: _items(b"r", lambda value: (value.start, value.stop, value.step)),
    memoryview: lambda value, out, _depth: _write_bytes(b"V", memoryview.tobytes(value), out),
    UserString: _write_user_string,
    type(...): _constant(b"e"),
    type: _write_class,
    ChainMap: _pairs(b"h", ChainMap.items),
    UserDict: _pairs(b"u", lambda value: value.data.items()),
    UserList: _items(b"l", lambda value: value.data),
    type(type.__dict__): _pairs(b"m", lambda value: value.items()),
    Counter: _pairs(b"#", dict.items),
    OrderedDict: _pairs(b"o", _pairs_in_order),
    defaultdict: _items(b"d", _default_dict_items),
    deque: _items(b"q", lambda value: chain((_maxlen_of(value),), deque.__iter__(value))),
    type({}.keys()): _items(b"k", iter),
    type({}.values()): _items(b"v", iter),
    type({}.items()): _pairs(b"p", iter),
}
# The kinds of numpy.dtype.kind whose values are nothing but their bytes: never of objects.
_PLAIN_KINDS = frozenset("biufc")
# Such types as numpy.dtype.str names them; what else stands there, numpy would parse as an expression.
_PLAIN_TYPES = frozenset(
    f"{order}{kind}{size}" for order in "<>|" for kind in _PLAIN_KINDS for size in (1, 2, 4, 8, 12, 16, 24, 32)
)


def _write_array(value: Any, out: bytearray, depth: int) -> None:
    """An array, or a scalar as one of no dimension."""
    if value.dtype.kind not in _PLAIN_KINDS:
        raise Unsendable(f"a numpy array of {value.dtype.name:.80} can't be sent")
    out += b"n"
    _write_items((value.dtype.str, tuple(value.shape), value.tobytes()), out, depth)


def _write_match(value: Any, out: bytearray, depth: int) -> None:
    out += b"M"
    spans = tuple(value.span(group) for group in range(value.re.groups + 1))
    _write_items((value.string, spans, dict(value.re.groupindex), value.lastindex), out, depth)


def _moment(*names: str) -> Writer:
    """Of a class of datetime: its name, and its parts."""

    def write(value: Any, out: bytearray, depth: int) -> None:
        kind = next(base for base in _bases_of(type(value)) if base.__module__ == "datetime")
        out.extend(b"t")
        _write_items((kind.__name__, *(getattr(value, name) for name in names)), out, depth)

    return write


def _write_zone(value: Any, out: bytearray, depth: int) -> None:
    out += b"t"
    _write_items(("timezone", value.utcoffset(None)), out, depth)


def _write_named_zone(value: Any, out: bytearray, depth: int) -> None:
    if type(value.key) is not str:
        raise Unsendable("a time zone without a name can't be sent")
    out += b"Z"
    _write_str(value.key, out, depth)


_DATE, _TIME = ("year", "month", "day"), ("hour", "minute", "second", "microsecond", "tzinfo")
LATE_WRITERS: dict[str, tuple[str, Writer]] = {
    "ndarray": ("numpy", _write_array),
    "generic": ("numpy", _write_array),
    "Fraction": ("fractions", _items(b"/", lambda value: (value.numerator, value.denominator))),
    "Decimal": ("decimal", _write_decimal),
    "Match": ("re", _write_match),
    "datetime": ("datetime", _moment(*_DATE, *_TIME)),
    "date": ("datetime", _moment(*_DATE)),
    "time": ("datetime", _moment(*_TIME)),
    "timedelta": ("datetime", _moment("days", "seconds", "microseconds")),
    "timezone": ("datetime", _write_zone),
    "ZoneInfo": ("zoneinfo", _write_named_zone),
}
"""By the name of the class: the module that defines it, and the writer."""


def _subclass(kind: type) -> type:
    return type(f"a_subclass_of_{kind.__name__}", (kind,), {"__slots__": ()})


_SUBCLASSES: dict[type, type] = {
    kind: _subclass(kind)
    for kind in (
        *(int, str, list, tuple, float, dict, set, frozenset, complex, bytes, bytearray),
        *(Counter, OrderedDict, defaultdict, deque),
    )
}
"""By the base: what a value of any of its subclasses arrives as."""
_LATE_SUBCLASSES = frozenset({"ndarray", "Fraction", "Decimal"})
"""Classes of ``LATE_WRITERS`` of which that is made when it is needed first."""


class _Frame:
    """Bytes being read. ``at`` is the next one's place."""

    __slots__ = ("_data", "_depth", "_memory_bytes", "at")

    def __init__(self, data: bytes) -> None:
        self.at = 0
        self._data = data
        self._depth = 0
        self._memory_bytes = _MEMORY_BYTES + _MEMORY_PER_BYTE * len(data)

    def value(self) -> object:
        tag = self.byte()
        return tag - _SMALL if tag >= _SMALL else READERS[tag](self)

    def byte(self) -> int:
        byte = self._data[self.at]
        self.at += 1
        return byte

    def take(self, size: int) -> bytes:
        start, self.at = self.at, self.at + size
        if self.at > len(self._data):
            raise Malformed(f"{size} bytes from byte {start} on, expected at most {len(self._data) - start}")
        return self._data[start : self.at]

    def sized(self) -> bytes:
        """The bytes after a length, as many as it says."""
        size = self.byte()
        return self.take(size if size < _LONG_LENGTH else int.from_bytes(self.take(4), "little"))

    def take_memory(self, memory_bytes: int) -> None:
        """Note what an empty container takes; a frame of nothing but such ones is refused."""
        self._memory_bytes -= memory_bytes
        if self._memory_bytes < 0:
            raise Malformed("too many containers in all")

    def items(self, memory_bytes: int = _LIST_BYTES) -> list[Any]:
        """The items up to their end, for a container that takes so much memory where it is empty."""
        self._depth += 1
        self.take_memory(memory_bytes)
        if self._depth > MAX_DEPTH:
            raise Malformed(f"more than {MAX_DEPTH} containers in one another")
        items: list[Any] = []
        data, at = self._data, self.at
        while (tag := data[at]) != END:
            at += 1
            if tag >= _SMALL:
                items.append(tag - _SMALL)
            else:
                self.at = at
                items.append(READERS[tag](self))
                at = self.at
        self.at = at + 1
        self._depth -= 1
        return items

    def pairs(self) -> dict[Any, Any]:
        return _paired(self.items(_HASHED_BYTES))


def _paired(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _read_subclass(frame: _Frame) -> object:
    frame.take_memory(_HASHED_BYTES)
    value: Any = frame.value()
    kind = _subclass_of(type(value))
    if kind.__bases__[0].__name__ == "ndarray":
        return value.view(kind)
    if type(value) is deque:
        return kind(value, value.maxlen)
    return kind(value.default_factory, value) if type(value) is defaultdict else kind(value)


def _subclass_of(kind: type) -> Any:
    """What a value of a subclass of this class arrives as. Raises KeyError: there is no such class."""
    if kind.__name__ in _LATE_SUBCLASSES and kind not in _SUBCLASSES:
        _SUBCLASSES[kind] = _subclass(kind)
    return _SUBCLASSES[kind]


def _wrapped(kind: Callable[[Any], object], read: Reader) -> Reader:
    def wrap(frame: _Frame) -> object:
        frame.take_memory(_HASHED_BYTES)
        return kind(read(frame))

    return wrap


def _read_set(frame: _Frame) -> set[Any]:
    """A set that gives its elements in the order in which they came, if one is found (of nine in ten small sets).

    The order follows from the size of the table and from which element came first where two have the same place. One
    that grew has another size than one that was made of a whole (a constant, a copy, a union). An element that stands
    too early was pushed there by another, and is put in before it.
    """
    items = frame.items(_HASHED_BYTES)
    for make in (set, _made_of_a_whole):
        order = items
        for _ in range(_SET_ORDERS):
            made: set[Any] = make(order)
            given = list(made)
            early = next((mine for mine, wanted in zip(given, items, strict=False) if mine is not wanted), None)
            if early is None or len(given) != len(items):
                return made
            order = [early, *(item for item in order if item is not early)]
    return set(items)


def _made_of_a_whole(items: list[Any]) -> set[Any]:
    made: set[Any] = set()
    made.update(dict.fromkeys(items))
    return made


def _read_complex(frame: _Frame) -> complex:
    real, imaginary = frame.items()
    return complex(real, imaginary)


def _read_range(frame: _Frame) -> range:
    start, stop, step = frame.items()
    return range(start, stop, step)


def _read_deque(frame: _Frame) -> deque[Any]:
    maxlen, *items = frame.items(_DEQUE_BYTES)
    return deque(items, maxlen)


def _read_defaultdict(frame: _Frame) -> defaultdict[Any, Any]:
    factory, *items = frame.items(_HASHED_BYTES)
    return defaultdict(factory, _paired(items))


def _read_match(frame: _Frame) -> object:
    from .matches import Match  # noqa: PLC0415 - no cost before its use

    string, spans, names, lastindex = frame.items(_DEQUE_BYTES)
    return Match(string, spans, names, lastindex)


def _read_moment(frame: _Frame) -> object:
    import datetime as dt  # noqa: PLC0415 - no cost before its use

    kind, *parts = frame.items(_HASHED_BYTES)
    if kind not in {"datetime", "date", "time", "timedelta", "timezone"}:
        raise Malformed("no class of datetime")
    return getattr(dt, kind)(*parts)


def _read_named_zone(frame: _Frame) -> object:
    import zoneinfo  # noqa: PLC0415 - no cost before its use

    try:
        return zoneinfo.ZoneInfo(frame.value())  # type: ignore[arg-type]
    except OSError as error:  # a folder of zones
        raise Malformed("no time zone") from error


def _read_fraction(frame: _Frame) -> object:
    from fractions import Fraction  # noqa: PLC0415 - no cost before its use

    numerator, denominator = frame.items()
    return Fraction(numerator, denominator)


def _read_decimal(frame: _Frame) -> object:
    from decimal import Decimal  # noqa: PLC0415 - no cost before its use

    return Decimal(frame.sized().decode("ascii"))


def _read_array(frame: _Frame) -> object:
    """An array of numpy, which must be importable on this side, too; a number of Python for one of no dimension."""
    import numpy as np  # noqa: PLC0415 - no cost before its use

    kind, shape, content = frame.items()
    if kind not in _PLAIN_TYPES:
        raise Malformed("an array of what is not plain numbers")
    array = np.frombuffer(content, kind).reshape(shape)
    if kind[1] in "fc":
        array = array.astype(np.promote_types(array.dtype, float))
    if array.shape:
        return array.copy()
    plain = {"b": bool, "i": int, "u": int, "f": float, "c": complex}[kind[1]]
    return plain(array[()])


def accept_arrays() -> None:
    """Read numpy's arrays from now on. Without this a frame with one is malformed, whoever can import numpy."""
    READERS[ord("n")] = _read_array


READERS: dict[int, Reader] = {
    ord("V"): lambda frame: memoryview(frame.sized()),
    ord("U"): _wrapped(UserString, lambda frame: frame.value()),
    ord("M"): _read_match,
    ord("t"): _read_moment,
    ord("Z"): _read_named_zone,
    ord("S"): _read_subclass,
    ord("h"): _wrapped(ChainMap, _Frame.pairs),
    ord("u"): _wrapped(UserDict, _Frame.pairs),
    ord("l"): _wrapped(UserList, _Frame.items),
    ord("m"): _wrapped(type(type.__dict__), _Frame.pairs),
    ord("i"): lambda frame: int.from_bytes(frame.sized(), "little", signed=True),
    ord("s"): lambda frame: frame.sized().decode("utf-8", "surrogatepass"),
    ord("["): _Frame.items,
    ord("("): lambda frame: tuple(frame.items()),
    ord("T"): lambda _: True,
    ord("F"): lambda _: False,
    ord("f"): lambda frame: memoryview(frame.take(8)).cast("d")[0],
    ord("N"): lambda _: None,
    ord("{"): _Frame.pairs,
    ord("<"): _read_set,
    ord("z"): lambda frame: frozenset(_read_set(frame)),
    ord("c"): _read_complex,
    ord("b"): _Frame.sized,
    ord("a"): lambda frame: bytearray(frame.sized()),
    ord("r"): _read_range,
    ord("e"): lambda _: ...,
    ord("C"): lambda frame: CLASSES[frame.byte()],
    ord("#"): lambda frame: Counter(frame.pairs()),
    ord("o"): lambda frame: OrderedDict(frame.pairs()),
    ord("d"): _read_defaultdict,
    ord("q"): _read_deque,
    ord("k"): lambda frame: dict.fromkeys(frame.items(_HASHED_BYTES)).keys(),
    ord("v"): lambda frame: dict(enumerate(frame.items(_HASHED_BYTES))).values(),
    ord("p"): lambda frame: frame.pairs().items(),
    ord("/"): _read_fraction,
    ord("D"): _read_decimal,
    ord("~"): lambda frame: iter(frame.items(2 * _LIST_BYTES)),
}
