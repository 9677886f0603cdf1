"""Which answers agree with the canonical solution's, and which values cross as marshal writes them."""

from __future__ import annotations

import contextlib
import marshal
import math
import random
from collections import Counter, deque

import pytest

from evalharness.sandbox.inside import codec, many_answers, marshalled
from evalharness.sandbox.inside.agreement import Agreement, equals_itself
from evalharness.sandbox.inside.many_answers import Answer

VALUES = [
    *(None, True, False, ..., 0, -1, 2**31 - 1, -(2**31), 2**31, -(2**200), 10**3000, 0.5, -0.0, math.inf, 1 + 2j),
    *("", "ü\ud800", b"\0", (), [], {}, set(), frozenset({1}), [[1, 2.5], ["a", None]], {1: [2], "a": {3}}, {(1, "b")}),
    *([1, 2.0, True, "x", 3], [0.1] * 300, list(range(300))),
]


def answer(value):
    return Answer(*_packed(value))


def _packed(value):
    frame: list[bytes] = []
    many_answers.answer_all(marshal.dumps(("f", [[]]), many_answers.FORMAT), {"f": lambda: value}, frame.append)
    (one,) = many_answers.answers_in(frame[0][1:])
    return one


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])
def test_what_marshal_writes_is_read_back(value):
    read = marshalled.decode(marshal.dumps(value, many_answers.FORMAT))
    assert (type(read), repr(read) if value != value else read) == (type(value), value)


def test_no_bytes_do_more_than_fail():
    numbers = random.Random(0)
    frames = [marshal.dumps(value, many_answers.FORMAT) for value in VALUES]
    for _ in range(3000):
        data = bytearray(numbers.choice(frames))
        for _ in range(numbers.randint(1, 4)):
            if data:
                data[numbers.randrange(len(data))] = numbers.randrange(256)
        with contextlib.suppress(codec.Malformed):
            marshalled.decode(bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"(\xff\xff\xff\x7f",
        b"[\xff\xff\xff\xff",
        b"(\x01\x00\x00\x00" * 200 + b"N",
        b"NN",
        b"c",
        b"R\0\0\0\0",
        b"{",
    ],
)
def test_sizes_and_depths_are_bounded(data):
    with pytest.raises(codec.Malformed):
        marshalled.decode(data)


def accepts(value, expected, rule="equal", tolerance=0.0, arguments=()):
    wanted = answer(expected)
    return Agreement(rule, tolerance, [arguments], [wanted], [equals_itself(wanted)]).accepts(0, answer(value))


@pytest.mark.parametrize(
    ("value", "expected", "right"),
    [
        (1, 1.0, True),
        (True, 1, True),
        ((1, 2), [1, 2], False),
        (0.1 + 0.2, 0.3, True),
        (0.300001, 0.3, True),
        (0.30001, 0.3, False),
        (3, 3.0000001, False),
        ([0.1 + 0.2, 1.0], [0.3, 1.0], True),
        ((0.1 + 0.2,), [0.3], False),
        ([0.3], [0.3, 1.0], False),
        (["0.3"], [0.3], False),
        (None, 0.3, False),
        (math.nan, math.nan, False),
        (math.inf, math.inf, True),
        (7.5, math.inf, False),
        (-math.inf, math.inf, False),
        ([1.0, 7.5], [1.0, math.inf], False),
        ({2, 1}, {1, 2}, True),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}, True),
        (Counter("aa"), {"a": 2}, True),
        (deque([1]), [1], False),
        (object(), None, False),
        (iter([1]), [1], False),
    ],
)
def test_an_answer_is_equal_or_for_floats_close(value, expected, right):
    assert accepts(value, expected) is right


@pytest.mark.parametrize(
    ("rule", "arguments", "value", "expected", "right"),
    [
        ("same_elements", ((1,), (2,)), [2, 1, 1], (1, 2), True),
        ("same_elements", ((1,), (2,)), [2], (1, 2), False),
        ("same_elements", ((1,), (2,)), 3, (1, 2), False),
        ("not_none", ("a",), object(), object(), True),
        ("not_none", ("a",), True, object(), True),
        ("not_none", ("a",), None, object(), False),
        ("not_none", ("a",), False, None, True),
        ("root", ([-2, 1],), 2.00000001, 0.0, True),
        ("root", ([-2, 1],), 2.1, 2.0, False),
        ("root", ([-2, 1],), None, 2.0, False),
        ("anything", (1, 2), object(), True, True),
        ("equal_or_zero", (1, 2), 0, 7, True),
        ("equal_or_zero", (1, 2), 1, 7, False),
        ("padded_digits", (1, 12), 2, 5, True),
        ("padded_digits", (1, 12), 3, 5, False),
        ("perpendicular_height", (3, 4), 35, 33, True),
        ("perpendicular_height", (3, 4), 34, 33, False),
    ],
)
def test_tasks_with_several_right_answers_have_a_rule(rule, arguments, value, expected, right):
    assert accepts(value, expected, rule, 1e-4 if rule == "root" else 0.0, arguments) is right


def test_after_the_first_float_whole_numbers_may_be_close():
    expected = [answer(1), answer(0.5), answer([1, 0.5])]
    agrees = Agreement("equal", 0.0, [(), (), ()], expected, [True] * 3)
    assert agrees.accepts(2, answer([1, 0.5000001]))
    first = Agreement("equal", 0.0, [()], expected[2:], [True])
    assert not first.accepts(0, answer([1, 0.5000001]))
