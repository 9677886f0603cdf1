"""Instances of a problem's own classes, taken apart and put together without a call of their methods.

What is wrong with the parts raises ``TypeError``, ``ValueError`` or ``LookupError``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_BASES: dict[str, Any] = {kind.__name__: kind for kind in (list, tuple, dict, set, frozenset, int, float, str, bytes)}
_EXCEPTION = "exception"


class _Slotted:
    __slots__ = ("slot",)


_SLOT = type(vars(_Slotted)["slot"])
_METHODS = (type(lambda: None), property, classmethod, staticmethod)
_bases_of = type.__dict__["__mro__"].__get__


def content_of(value: Any) -> tuple[str | None, Iterable[Any]]:
    """The name of the plain type that an instance is of, and what it has in it; (None, ()) if it is of none."""
    if isinstance(value, BaseException):
        return _EXCEPTION, value.args
    for name, base in _BASES.items():
        if isinstance(value, base):
            if base is dict:
                return name, [item for pair in dict.items(value) for item in pair]
            return name, base.__iter__(value) if base in (list, tuple, set, frozenset) else (base(value),)
    return None, ()


def attributes_of(value: Any) -> dict[str, Any]:
    """The attributes of an instance, those in slots too."""
    slots = {name: slot.__get__(value) for name, slot in _slots_of(type(value)).items() if hasattr(value, name)}
    return {**(vars(value) if hasattr(value, "__dict__") else {}), **slots}


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
    if base in (list, dict, set):
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
    elif name == "dict":
        dict.clear(value)
        dict.update(value, zip(items[::2], items[1::2], strict=True))
    elif name == _EXCEPTION:
        value.args = tuple(items)


def set_attributes(value: Any, attributes: dict[str, Any]) -> None:
    """Give an instance these attributes and no others; none of them in the place of a method."""
    slots = _slots_of(type(value))
    unknown = attributes.keys() - slots.keys()
    if not all(type(name) is str for name in attributes) or (unknown and not hasattr(value, "__dict__")):
        raise TypeError("an attribute that the class has no room for")
    if any(isinstance(vars(base).get(name), _METHODS) for base in _bases_of(type(value)) for name in attributes):
        raise TypeError("an attribute in the place of a method")
    own: Any = vars(value) if hasattr(value, "__dict__") else {}
    own.clear()
    own.update({name: item for name, item in attributes.items() if name in unknown})
    for name, slot in slots.items():
        if name in attributes:
            slot.__set__(value, attributes[name])
        elif hasattr(value, name):
            slot.__delete__(value)


def _slots_of(kind: type) -> dict[str, Any]:
    return {name: slot for base in _bases_of(kind) for name, slot in vars(base).items() if type(slot) is _SLOT}
