"""Objects that judge and program share: each has a number on both sides, and whoever speaks tells what has changed.

So an object that is handed over twice is one object there, too, and what is changed there is changed here. A value is
flattened for that: what can change is a reference, and its state is sent apart. What has no state that could be sent,
such as a function, an iterator or an object of a class of the program's own, stays where it is; the other side has a
stand-in for it.

Everything here is plain values of ``codec``. What is wrong with what arrives raises :class:`codec.Malformed`.
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict, defaultdict, deque

from . import codec, instances

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Flat = Any
    """A plain value, or a tuple whose first item is a tag."""
    Change = tuple[int, bytes]
    """The number of an object, and the frame of its state."""

FUNCTION, ITERATOR, COROUTINE, OBJECT = "function", "iterator", "coroutine", "object"
GET, SET, TRUTH, SPECIAL = "get", "set", "truth", "special"
"""What is asked of an object, beside "call", "next" and "run" of others. Only a program answers these."""
_PLAIN = frozenset({int, float, str, bool, type(None), bytes, complex, range, type(...)})
_UNCHANGEABLE = (int, float, str, bytes, tuple, frozenset)
_FIXED: dict[type, str] = {tuple: "t", frozenset: "f"}
_PAIRED: dict[str, Any] = {"dict": dict, "OrderedDict": OrderedDict, "Counter": Counter}
_FUNCTIONS = frozenset({"function", "method", "builtin_function_or_method", "partial", "_lru_cache_wrapper"})
_MODULES_OF_BUILTINS = frozenset({"builtins", "math", "_operator"})


class Remote:
    """What stands for something that stays on the other side. Its own attributes have names that no program gives."""

    __slots__ = ("ask_the_other_side", "number_on_the_other_side")
    ask_the_other_side: Callable[..., Any]
    number_on_the_other_side: int

    def __init__(self, number: int, ask: Callable[..., Any]) -> None:
        object.__setattr__(self, "number_on_the_other_side", number)
        object.__setattr__(self, "ask_the_other_side", ask)


class RemoteFunction(Remote):
    """A function of the other side."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """What the other side returns."""
        return self.ask_the_other_side("call", self.number_on_the_other_side, arguments, named)


class RemoteObject(Remote):
    """An object of a class that only the program knows.

    It says what its attributes are and what its methods return. That it equals something, or is near it, is not for it
    to say: it compares and computes with nothing, and has no items.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python itself looks for those
            raise AttributeError(name)
        return self.ask_the_other_side(GET, self.number_on_the_other_side, (name,))

    def __setattr__(self, name: str, value: Any) -> None:
        self.ask_the_other_side(SET, self.number_on_the_other_side, (name, value))

    def __bool__(self) -> bool:
        return self.ask_the_other_side(TRUTH, self.number_on_the_other_side) is True

    def __exit__(self, *_: object) -> None:
        """It keeps no failure of the tests to itself."""
        self.ask_the_other_side(SPECIAL, self.number_on_the_other_side, ("__exit__", None, None, None))


def _special(name: str) -> Callable[..., Any]:
    def method(self: RemoteObject, *arguments: Any, **named: Any) -> Any:
        return self.ask_the_other_side(SPECIAL, self.number_on_the_other_side, (name, *arguments), named)

    return method


# Neither length nor items: a length that changes between two looks would end a loop of the tests before it begins.
for _name in ("__call__", "__enter__", "__repr__", "__str__"):
    setattr(RemoteObject, _name, _special(_name))


class RemoteIterator(Remote):
    """An iterator of the other side, which goes on only when it is asked; a generator has methods, too."""

    __slots__ = ()
    __getattr__ = RemoteObject.__getattr__

    def __iter__(self) -> RemoteIterator:
        return self

    def __next__(self) -> Any:
        return self.ask_the_other_side("next", self.number_on_the_other_side)


async def _awaited(number: int, ask: Callable[..., Any]) -> Any:
    return ask("run", number)


class SharedObjects:
    """The objects of one side. ``first``, 0 or 1, is the first number that this side gives; it takes each other one.

    ``ask`` asks the other side to ``call``, ``next`` or ``run`` what has a number. ``classes`` are those whose
    instances are shared, by their names. ``discards``: what the other side changes of this side's objects is undone; of
    those with numbers in ``fixed``, and of all that lies in them, it is always. ``changed`` has the numbers of this
    side's objects that were changed.
    """

    def __init__(self, first: int, ask: Callable[..., Any], *, discards: bool = False) -> None:
        self.classes: dict[str, type] = {}
        self.fixed: frozenset[int] = frozenset()
        self.changed: set[int] = set()
        self._first = first
        self._ask = ask
        self._discards = discards
        self._objects: dict[int, Any] = {}
        self._changeable: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._sent: dict[int, bytes] = {}
        self._within: dict[int, frozenset[int]] = {}
        self._met: set[int] = set()
        self._given = 0

    def number_of(self, value: object) -> int:
        """The number of an object; it has one from now on."""
        number = self._numbers.get(id(value))
        if number is None:
            number = self._first + 2 * self._given
            self._given += 1
            self.keep(number, value)
        self._met.add(number)
        return number

    def keep(self, number: int, value: object) -> None:
        """Have this number mean this object, on this side."""
        self._objects[number] = value
        self._numbers[id(value)] = number
        if type(value) in _STATES or self._name_of(type(value)):
            self._changeable[number] = value

    def own(self, number: int) -> Any:
        """One of this side's objects. Raises Malformed."""
        if type(number) is not int or number % 2 != self._first or number not in self._objects:
            raise codec.Malformed("no such object")
        return self._objects[number]

    def flat(self, value: Any) -> Flat:
        """A value without what can change. Raises ``codec.Unsendable`` or what a program's own methods raise."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind in _FIXED:
            return (_FIXED[kind], self.flat_items(value))
        if kind in _STATES or self._name_of(kind):
            return self._flat_instance(value, kind)
        if isinstance(value, Remote):
            return ("h", value.number_on_the_other_side)
        if stays := _stays(value):
            return _builtin(value) or ("p", self.number_of(value), stays)
        name = self._name_of(value) if isinstance(value, type) else ""
        return ("k", name) if name else self._as_it_is(value)

    def _flat_instance(self, value: Any, kind: type) -> Flat:
        members = getattr(kind, "__members__", None)
        return ("r", self.number_of(value)) if members is None else ("e", self._name_of(kind), value.name)

    def _as_it_is(self, value: object) -> Flat:
        number = self._numbers.get(id(value), self._first)
        if number % 2 != self._first:
            return ("h", number)
        try:
            codec.encode(value)
        except codec.Unsendable as error:
            return ("p", self.number_of(value), OBJECT) if self._is_program else ("o", bool(value), str(error))
        return ("n", self.number_of(value), value) if self._is_program and _is_of_own_class(value) else ("v", value)

    @property
    def _is_program(self) -> bool:
        return self._first == 1

    def _name_of(self, kind: type) -> str:
        return next((name for name, each in self.classes.items() if each is kind), "")

    def changes(self) -> list[Change]:
        """What has changed, or is new, since the other side last heard or told of it."""
        changed, seen = [], set[int]()
        while waiting := [number for number in self._changeable if number not in seen]:  # a state may name new ones
            for number in waiting:
                seen.add(number)
                self._met = set()
                state = self._state(self._changeable[number])
                self._within[number] = frozenset(self._met)
                frame = b"" if state is None else codec.encode(state)
                if frame and self._sent.get(number) != frame:
                    self._sent[number] = frame
                    changed.append((number, frame))
        return changed

    def with_parts(self, numbers: Iterable[int]) -> set[int]:
        """The numbers of these objects and of all that lies in them, as the other side was told last."""
        reached, waiting = set[int](), list(numbers)
        while waiting:
            number = waiting.pop()
            if number not in reached:
                reached.add(number)
                waiting.extend(self._within.get(number, ()))
        return reached

    def _state(self, value: Any) -> tuple[Any, ...] | None:
        kind = type(value)
        if kind in _STATES:
            name, *facts = _STATES[kind](self, value)
            return (name, *facts)
        name = self._name_of(kind)
        return ("instance", name, self._content(value), self._attributes(value)) if name else None

    def _content(self, value: Any) -> Flat:
        """What an instance of a subclass of a plain type has in it, and an exception its arguments."""
        base, content = instances.content_of(value)
        return None if base is None else (base, self.flat_items(content))

    def _attributes(self, value: Any) -> list[Flat]:
        return [(name, self.flat(item)) for name, item in instances.attributes_of(value).items()]

    def flat_items(self, items: Iterable[Any]) -> list[Flat]:
        """Each of several values, flat."""
        return [self.flat(item) for item in items]

    def apply(self, changes: Any) -> None:
        """Have what the other side tells of its changes here, too. Raises Malformed."""
        states = [(number, frame, codec.decode(frame)) for number, frame in changes]
        for number, _, state in states:
            if number not in self._objects:
                self._adopt(number, state)
        fixed = self.with_parts(self.fixed) if states else set()
        # An instance may be the key of a dictionary, which needs its attributes.
        for number, frame, state in sorted(states, key=lambda change: change[2][0] != "instance"):
            self._sent[number] = frame
            if number % 2 == self._first:
                self.changed.add(number)
                if self._discards or number in fixed:
                    continue
            self._fill(self._objects[number], state)

    def _adopt(self, number: Any, state: tuple[Any, ...]) -> None:
        """An empty object in the place of one that the other side has made."""
        if type(number) is not int or number < 0 or number % 2 == self._first:
            raise codec.Malformed("no number of the other side")
        name, *facts = state
        if name == "instance":
            made = instances.made(self.classes[facts[0]], self._content_given(facts[1]))
        elif name == "deque":
            made = deque(maxlen=facts[0])
        elif name == "defaultdict":
            made = defaultdict(facts[0])
        else:
            made = _EMPTY[name]()
        self.keep(number, made)

    def _content_given(self, content: Any) -> tuple[str | None, list[Any]]:
        if content is None:
            return None, []
        base, items = content
        return base, self.values(items)

    def _fill(self, value: Any, state: tuple[Any, ...]) -> None:
        name, *facts = state
        if name == "instance":
            if type(value) is not self.classes[facts[0]]:
                raise codec.Malformed("an object of another class")
            instances.refill(value, self._content_given(facts[1]))
            instances.set_attributes(value, {key: self.value(item) for key, item in facts[2]})
        elif type(value) is not _KINDS[name]:
            raise codec.Malformed("an object of another type")
        elif name == "bytearray":
            value[:] = facts[0]
        else:
            self._fill_container(value, facts[-1], paired=name in _PAIRED or name == "defaultdict")

    def _fill_container(self, value: Any, items: list[Flat], *, paired: bool) -> None:
        given = self.values(codec.decode(item) for item in items) if type(value) is set else self.values(items)
        value.clear()
        if paired:  # not dict.update, which leaves the order of an OrderedDict as it was
            for key, item in zip(given[::2], given[1::2], strict=True):
                value[key] = item
        elif isinstance(value, set):
            value.update(given)
        else:
            value.extend(given)

    def values(self, items: Iterable[Flat]) -> list[Any]:
        """The value of each."""
        return [self.value(item) for item in items]

    def value(self, flat: Flat) -> Any:
        """The value that was flattened. Raises Malformed, TypeError, ValueError or LookupError."""
        if type(flat) is not tuple:
            if type(flat) not in _PLAIN:
                raise codec.Malformed("no flat value")
            return flat
        return _READERS[flat[0]](self, *flat[1:])

    def referred(self, number: int) -> Any:
        """The object of either side with this number."""
        return self._objects[number]

    def member(self, name: str, member: str) -> Any:
        """The member of an enumeration."""
        kind: Any = self.classes[name]
        return kind.__members__[member]

    def remote(self, number: int, kind: str) -> Any:
        """What stands for something that stays on the other side."""
        if type(number) is not int or number % 2 == self._first:
            raise codec.Malformed("no number of the other side")
        if kind == COROUTINE:
            return _awaited(number, self._ask)
        if number not in self._objects:
            self.keep(number, _REMOTES[kind](number, self._ask))
        return self._objects[number]

    def copied(self, number: int, value: Any) -> Any:
        """A plain value that is of a class of its own on the other side, and is there again what it was."""
        if type(number) is not int or number % 2 == self._first:
            raise codec.Malformed("no number of the other side")
        if number not in self._objects:
            self.keep(number, value)
        return self._objects[number]

    def from_builtins(self, module: str, name: str) -> Any:
        """One of this side's own functions: only the program is ever asked for one."""
        if not self._is_program or module not in _MODULES_OF_BUILTINS:
            raise codec.Malformed("a builtin function")
        return getattr(sys.modules[module], name)


def _stays(value: Any) -> str:
    """What the other side has in the place of a value that stays here; empty if it crosses."""
    kind = type(value)
    if hasattr(kind, "__next__") and hasattr(kind, "__iter__"):
        return ITERATOR
    if kind.__name__ == "coroutine":
        return COROUTINE
    return FUNCTION if kind.__name__ in _FUNCTIONS else ""


def _is_of_own_class(value: Any) -> bool:
    """Whether a value that nobody can change arrives as one of another class, such as a named tuple."""
    return type(value) not in codec.WRITERS and isinstance(value, _UNCHANGEABLE)


def _builtin(value: Any) -> Flat:
    """A builtin function, of which both sides have their own; None if it is none."""
    if type(value) is not type(len) or value.__module__ not in _MODULES_OF_BUILTINS:
        return None
    return ("b", value.__module__, value.__name__)


def _pairs_of(shared: SharedObjects, value: dict[Any, Any]) -> list[Flat]:
    return [flat for pair in dict.items(value) for flat in shared.flat_items(pair)]


def _factory(value: Any) -> Any:
    factory = value.default_factory
    return factory if any(factory is each for each in codec.CLASSES) else None


_STATES: dict[type, Callable[[SharedObjects, Any], tuple[Any, ...]]] = {
    list: lambda shared, value: ("list", shared.flat_items(value)),
    # The order of a set is each side's own, and no change.
    set: lambda shared, value: ("set", sorted(codec.encode(flat) for flat in shared.flat_items(value))),
    bytearray: lambda _, value: ("bytearray", bytes(value)),
    deque: lambda shared, value: ("deque", value.maxlen, shared.flat_items(value)),
    defaultdict: lambda shared, value: ("defaultdict", _factory(value), _pairs_of(shared, value)),
    dict: lambda shared, value: ("dict", _pairs_of(shared, value)),
    OrderedDict: lambda shared, value: ("OrderedDict", _pairs_of(shared, value)),
    Counter: lambda shared, value: ("Counter", _pairs_of(shared, value)),
}
"""By its type: the kind of an object that can change, and its state."""
_EMPTY: dict[str, Any] = {"list": list, "set": set, "bytearray": bytearray, **_PAIRED}
_KINDS: dict[str, Any] = {**_EMPTY, "deque": deque, "defaultdict": defaultdict}
_REMOTES: dict[str, Callable[[int, Any], Remote]] = {
    FUNCTION: RemoteFunction,
    ITERATOR: RemoteIterator,
    OBJECT: RemoteObject,
}
_READERS: dict[str, Callable[..., Any]] = {
    "t": lambda shared, items: tuple(shared.values(items)),
    "f": lambda shared, items: frozenset(shared.values(items)),
    "r": SharedObjects.referred,
    "e": SharedObjects.member,
    "k": lambda shared, name: shared.classes[name],
    "h": SharedObjects.own,
    "p": SharedObjects.remote,
    "n": SharedObjects.copied,
    "b": SharedObjects.from_builtins,
    "v": lambda _, value: value,
    "o": lambda _, truth, __: codec.Unsent(truth=bool(truth)),
}
