"""Whether an answer agrees with the canonical solution's, as EvalPlus 0.3.1 decides it.

An answer is right if it is equal, or, for floats, close: within ``tolerance`` and a ten-millionth of the number that is
expected (the defaults of NumPy's ``assert_allclose``). From the first input on whose answer is a float, or a list or a
tuple of them, the tolerance is at least 1e-6. The problems whose right answers are not all equal have a rule instead.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from . import codec, many_answers, marshalled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .many_answers import Answer

_RELATIVE = 1e-7
_INFINITE = float("inf")
_LEAST_OF_FLOATS = 1e-6
_MAY_BE_NAN = re.compile(rb"[\xf0-\xff][\x7f\xff]")
"""The last bytes of every NaN as marshal writes it; other values may have them, too."""


class Unsendable:
    """Stands for an answer that can't cross: it is something, and equals nothing."""


class Agreement:
    """Compares the answers to one list of inputs; ``expected`` are the canonical solution's.

    ``same_bytes`` says of each whether the same bytes are a right answer: NaN is not equal to itself.
    """

    def __init__(
        self,
        rule: str,
        tolerance: float,
        inputs: Sequence[Sequence[Any]],
        expected: Sequence[Answer],
        same_bytes: Sequence[bool],
    ) -> None:
        self._rule = RULES[rule]
        self._bytes_decide = rule not in _VALUES_DECIDE
        self._tolerance = tolerance
        self._inputs = inputs
        self._expected = expected
        self._same_bytes = same_bytes

    def accepts(self, at: int, answer: Answer) -> bool:
        """Whether an answer to the input number ``at`` is right. Raises :class:`codec.Malformed`."""
        expected = self._expected[at]
        same = answer.content == expected.content and answer.kind == expected.kind
        if same and self._same_bytes[at] and self._bytes_decide:
            return True
        value, wanted = value_of(answer), value_of(expected)
        try:
            if self._rule(self._inputs[at], value, wanted, self._tolerance):
                return True
            tolerance = self._tolerance_at(at)
            return (
                tolerance != 0
                and self._bytes_decide
                and type(value) is type(wanted)
                and _close(value, wanted, tolerance)
            )
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):  # not comparable: not equal
            return False

    def _tolerance_at(self, at: int) -> float:
        if self._tolerance:
            return self._tolerance
        return _LEAST_OF_FLOATS if any(_is_floats(value_of(e)) for e in self._expected[: at + 1]) else 0.0


def value_of(answer: Answer) -> Any:
    """The value of an answer. Raises :class:`codec.Malformed`."""
    if answer.kind == many_answers.MARSHALLED:
        return marshalled.decode(answer.content)
    if answer.kind == many_answers.CODED:
        return codec.decode(answer.content)
    if answer.kind == many_answers.UNSENDABLE:
        return Unsendable()
    raise codec.Malformed("an answer of an unknown kind")


def equals_itself(answer: Answer) -> bool:
    """Whether a second value of the same bytes is equal to the first. NaN is the only plain value that is not."""
    if answer.kind == many_answers.MARSHALLED and not _MAY_BE_NAN.search(answer.content):
        return True
    return bool(value_of(answer) == value_of(answer))


def _is_floats(value: Any) -> bool:
    many = isinstance(value, (list, tuple)) and bool(value)
    return isinstance(value, float) or (many and all(isinstance(item, float) for item in value))


def _close(value: Any, wanted: Any, tolerance: float) -> bool:
    if isinstance(wanted, (list, tuple)):
        pairs = zip(value, wanted, strict=True)
        return all(_close(mine, theirs, tolerance) for mine, theirs in pairs)
    # No number is near infinity: a share of it is infinite, and would allow every one.
    near = tolerance + _RELATIVE * abs(wanted)
    return bool(value == wanted or (near != _INFINITE and abs(value - wanted) <= near))


def _equal(_arguments: Any, answer: Any, expected: Any, _tolerance: float) -> bool:
    return bool(answer == expected)


def _same_elements(_arguments: Any, answer: Any, expected: Any, _tolerance: float) -> bool:
    return set(answer) == set(expected)


def _not_none(_arguments: Any, answer: Any, expected: Any, _tolerance: float) -> bool:
    """Something where the canonical solution gives something. A truth value must say whether it does."""
    given = expected is not None
    said = answer if isinstance(answer, bool) else answer is not None
    return bool(said == given)


def _root(arguments: Any, answer: Any, _expected: Any, tolerance: float) -> bool:
    """A zero of the polynomial with these coefficients."""
    (coefficients,) = arguments
    value = sum(factor * math.pow(answer, power) for power, factor in enumerate(coefficients))
    return bool(abs(value) <= tolerance)


def _equal_or_zero(_arguments: Any, answer: Any, expected: Any, _tolerance: float) -> bool:
    return bool(answer in (expected, 0))


def _perpendicular_height(arguments: Any, answer: Any, expected: Any, tolerance: float) -> bool:
    """The surface of a square pyramid, of which the task does not say whether the height is that of its sides."""
    edge, height = arguments
    surface = round(edge**2 + 2 * edge * math.hypot(edge / 2, height))
    return bool(answer == expected or abs(answer - surface) <= tolerance)


def _padded_digits(arguments: Any, answer: Any, expected: Any, _tolerance: float) -> bool:
    """The sum of the differences of two numbers' digits, the shorter with zeros in front."""
    first, second = map(str, arguments)
    width = max(len(first), len(second))
    pairs = zip(first.zfill(width), second.zfill(width), strict=True)
    return bool(answer == expected or answer == sum(abs(int(one) - int(other)) for one, other in pairs))


RULES: dict[str, Callable[[Any, Any, Any, float], bool]] = {
    "equal": _equal,
    "same_elements": _same_elements,
    "not_none": _not_none,
    "root": _root,
    "anything": lambda *_: True,
    "equal_or_zero": _equal_or_zero,
    "perpendicular_height": _perpendicular_height,
    "padded_digits": _padded_digits,
}
"""By name: of the arguments, the answer, the canonical solution's and the tolerance, whether the answer is right."""
_VALUES_DECIDE = frozenset({"not_none", "root"})
