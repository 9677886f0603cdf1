"""Instances of a problem's own classes, taken apart and put together without a call of their methods.

What is wrong with the parts raises ``TypeError``, ``ValueError`` or ``LookupError``.
"""

from __future__ import annotations

from collections import OrderedDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_BASES: dict[str, Any] = {
    kind.__name__: kind for kind in (list, tuple, OrderedDict, dict, set, frozenset, int, float, str, bytes)
}
_MAPPINGS = (OrderedDict, dict)
_EXCEPTION = "exception"


class _Slotted:
    __slots__ = ("slot",)


_SLOT = type(vars(_Slotted)["slot"])
_METHODS_OF_BUILTINS = (type(list.append), type(list.__len__), type(vars(dict)["fromkeys"]))
_bases_of = type.__dict__["__mro__"].__get__


def content_of(value: Any) -> tuple[str | None, Iterable[Any]]:
    """The name of the plain type that an instance is of, and what it has in it; (None, ()) if it is of none."""
    if isinstance(value, BaseException):
        return _EXCEPTION, value.args
    for name, base in _BASES.items():
        if isinstance(value, base):
            if base in _MAPPINGS:
                return name, [item for key in base.__iter__(value) for item in (key, dict.__getitem__(value, key))]
            return name, base.__iter__(value) if base in (list, tuple, set, frozenset) else (base(value),)
    return None, ()


def attributes_of(value: Any) -> dict[str, Any]:
    """The attributes of an instance, those in slots too; none that only keeps what the class would compute again."""
    slots = {name: slot.__get__(value) for name, slot in _slots_of(type(value)).items() if hasattr(value, name)}
    own = vars(value) if hasattr(value, "__dict__") else {}
    return {**{name: item for name, item in own.items() if not _is_computed(type(value), name)}, **slots}


def made(kind: type, content: tuple[str | None, list[Any]]) -> Any:
    """An instance that has this content, if its type can't change it later, and no attributes yet."""
    name, items = content
    if issubclass(kind, BaseException) or name == _EXCEPTION:
        if name != _EXCEPTION or not issubclass(kind, BaseException):
            raise TypeError("no exception")
        return BaseException.__new__(kind, *items)
    base = next((base for base in _BASES.values() if issubclass(kind, base)), None)
    if (base and base.__name__) != name:
        raise TypeError("a content of another type")
    if base is None:
        return object.__new__(kind)
    if base in (list, set, *_MAPPINGS):
        return base.__new__(kind)
    return base.__new__(kind, items if base in (tuple, frozenset) else items[0])


def refill(value: Any, content: tuple[str | None, list[Any]]) -> None:
    """Give an instance of a subclass of a container this content."""
    name, items = content
    if name == "list":
        list.__setitem__(value, slice(None), items)
    elif name == "set":
        set.clear(value)
        set.update(value, items)
    elif _BASES.get(name or "") in _MAPPINGS:
        kind = _BASES[name or ""]
        kind.clear(value)
        for key, item in zip(items[::2], items[1::2], strict=True):
            kind.__setitem__(value, key, item)
    elif name == _EXCEPTION:
        value.args = tuple(items)


def set_attributes(value: Any, attributes: dict[str, Any]) -> None:
    """Give an instance these attributes and no others; none of them in the place of a method."""
    slots = _slots_of(type(value))
    unknown = attributes.keys() - slots.keys()
    if not all(type(name) is str for name in attributes) or (unknown and not hasattr(value, "__dict__")):
        raise TypeError("an attribute that the class has no room for")
    if any(_stands_before_a_method(type(value), name, item) for name, item in attributes.items()):
        raise TypeError("an attribute in the place of a method")
    own: Any = vars(value) if hasattr(value, "__dict__") else {}
    kept = {name: item for name, item in own.items() if _is_computed(type(value), name)}
    own.clear()
    own.update({name: item for name, item in attributes.items() if name in unknown} | kept)
    for name, slot in slots.items():
        if name in attributes:
            slot.__set__(value, attributes[name])
        elif hasattr(value, name):
            slot.__delete__(value)


def _stands_before_a_method(kind: type, name: str, item: Any) -> bool:
    """Whether an attribute would be taken for a method. A number may be called ``count`` in a subclass of list."""
    behind = [each for each in _of_class(kind, name) if _is_bound(each)]
    return any(callable(item) or type(each) not in _METHODS_OF_BUILTINS for each in behind)


def _is_computed(kind: type, name: str) -> bool:
    """Whether it is what a class keeps in an instance once it has computed it, such as a ``cached_property``."""
    found = _of_class(kind, name)
    return bool(found) and _is_bound(found[0]) and not callable(found[0])


def _of_class(kind: type, name: str) -> list[Any]:
    return [each for base in _bases_of(kind) if (each := vars(base).get(name)) is not None]


def _is_bound(each: Any) -> bool:
    return hasattr(type(each), "__get__") and not hasattr(type(each), "__set__")


def _slots_of(kind: type) -> dict[str, Any]:
    return {name: slot for base in _bases_of(kind) for name, slot in vars(base).items() if type(slot) is _SLOT}
