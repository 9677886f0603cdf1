"""The types of arguments that JSON lacks: tuples, sets and complex numbers.

They are given in words, one for each argument: a letter for the container at each depth, ``t`` for a tuple, ``s`` for a
set and ``l`` for a list or an object, the last one followed by ``+`` for all that lie deeper; or ``f`` for a float and
``c`` for a complex number that JSON has as a text. ``-`` is what JSON says, and a single word is that of all arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def _set(items: Iterable[Any]) -> set[Any] | dict[Any, Any]:
    """A set; an empty one is written ``{}`` in MBPP, which is a dict."""
    return set(items) or {}


_CONTAINERS: dict[str, Callable[[Iterable[Any]], Any]] = {"t": tuple, "l": list, "s": _set}
_NUMBERS: dict[str, Callable[[Any], Any]] = {"f": float, "c": complex}


def typed(words: str, arguments: Sequence[Any]) -> list[Any]:
    """The arguments of one call with the types that ``words`` gives them."""
    each = words.split()
    each = each * len(arguments) if len(each) == 1 else each
    return [_typed(word, argument) for word, argument in zip(each, arguments, strict=True)]


def _typed(word: str, value: Any) -> Any:
    if word in _NUMBERS:
        return _NUMBERS[word](value)
    if word in ("", "-") or not isinstance(value, (list, dict)):
        return value
    inner = word if word[1:] == "+" else word[1:]
    if isinstance(value, dict):
        return {key: _typed(inner, item) for key, item in value.items()}
    return _CONTAINERS[word[0]](_typed(inner, item) for item in value)
