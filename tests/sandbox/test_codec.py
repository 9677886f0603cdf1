import contextlib
import datetime as dt
import enum
import itertools
import math
import random
import re
import subprocess
import sys
import tracemalloc
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, NoneType
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.sandbox.inside import codec
from evalharness.sandbox.inside.codec import MAX_BYTES, MAX_DEPTH, Malformed, Unsendable, decode, encode

INSIDE = Path(codec.__file__).parent

numbers = st.one_of(
    st.integers(),
    st.builds(lambda digits, shift: digits << shift, st.integers(), st.integers(0, 9000)),
    st.floats(),
    st.complex_numbers(),
    st.fractions(),
    st.decimals(allow_nan=False),
)
scalars = st.one_of(
    numbers,
    st.none(),
    st.booleans(),
    st.just(...),
    st.text(st.characters()),
    st.text(st.characters(categories=["Cs", "Lu"])),
    st.binary(max_size=600),
    st.sampled_from(codec.CLASSES),
    st.builds(range, st.integers(), st.integers(), st.integers(1)),
)
hashable = st.recursive(
    scalars, lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=4)), max_leaves=6
)


def containers(inner: st.SearchStrategy) -> st.SearchStrategy:
    lists, dicts = st.lists(inner, max_size=5), st.dictionaries(hashable, inner, max_size=4)
    return st.one_of(
        lists,
        lists.map(tuple),
        st.sets(hashable, max_size=5),
        st.frozensets(hashable, max_size=5),
        st.binary().map(bytearray),
        dicts,
        dicts.map(Counter),
        dicts.map(OrderedDict),
        st.builds(defaultdict, st.sampled_from([None, int, list, set, dict, str, float, tuple, bool]), dicts),
        st.builds(deque, lists, st.none() | st.integers(0, 9)),
    )


values = st.recursive(scalars | hashable, containers, max_leaves=20)


def described(value: object) -> object:
    """A value with its types, deep, so that what is equal and yet another (1, True, 1.0, -0.0, nan) is told apart."""
    kind = type(value)
    if kind is float:
        return float, value.hex(), math.copysign(1, value)
    if kind is complex:
        return complex, described(value.real), described(value.imag)
    if isinstance(value, (set, frozenset)):
        return kind, sorted((described(item) for item in value), key=repr)
    if isinstance(value, dict):
        factory = getattr(value, "default_factory", None)
        return kind, factory, [(described(key), described(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple, deque)):
        return kind, getattr(value, "maxlen", None), [described(item) for item in value]
    return kind, repr(value) if kind is Decimal else value


@settings(deadline=None, max_examples=400)
@given(values)
def test_a_value_arrives_equal_and_of_the_same_types(value):
    assert described(decode(encode(value))) == described(value)


@settings(deadline=None, max_examples=400)
@given(values)
def test_what_arrived_has_the_same_frame_but_for_the_order_of_sets(value):
    frame = encode(value)
    assert sorted(encode(decode(frame))) == sorted(frame)


@pytest.mark.parametrize("elements", [[8, 0], [0, 8], [16, 8, 0], [3, 1, 2]])
def test_a_set_gives_its_elements_in_the_order_that_it_gave_before(elements):
    assert list(decode(encode(set(elements)))) == list(set(elements))


@pytest.mark.parametrize("bits", [0x7FF0000000000001, 0x7FF8000000000000, 0xFFF8000000ABCDEF, 1 << 63, 0x7FF << 52])
def test_every_bit_of_a_float_arrives(bits):
    value = memoryview(bits.to_bytes(8, sys.byteorder)).cast("d")[0]
    arrived = memoryview(bytearray(8)).cast("d")
    arrived[0] = decode(encode(value))
    assert int.from_bytes(arrived.tobytes(), sys.byteorder) == bits


@pytest.mark.parametrize(
    "value", [-1, 127, 128, -128, -129, 254, 255, 256, 2**63, -(2**64), 2**2039, -(2**2040), 2**2048]
)
def test_an_integer_at_an_edge_of_its_form_arrives(value):
    assert decode(encode(value)) == value


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 65536])
def test_a_length_at_an_edge_of_its_form_arrives(size):
    assert decode(encode(["x" * size, b"y" * size])) == ["x" * size, b"y" * size]


@pytest.mark.parametrize("text", ["NaN", "-sNaN123", "Infinity", "-0E-7", "1.10", "1E+999999"])
def test_a_decimal_arrives_with_its_exponent_and_its_nan(text):
    arrived = decode(encode(Decimal(text)))
    assert (type(arrived), str(arrived)) == (Decimal, text)


@pytest.mark.parametrize(
    ("view", "content"),
    [
        ({1: 2, "a": []}.keys(), [1, "a"]),
        ({1: 2, "a": []}.values(), [2, []]),
        ({1: 2, "a": []}.items(), [(1, 2), ("a", [])]),
        (OrderedDict(a=1).keys(), ["a"]),
    ],
)
def test_a_view_of_a_dict_arrives_as_a_view(view, content):
    arrived = decode(encode(view))
    assert type(arrived) in {type({}.keys()), type({}.values()), type({}.items())}
    assert type(arrived) in type(view).__mro__
    assert list(arrived) == content


class Countdown:
    """An iterator of a user's own."""

    def __init__(self):
        self.left = 3

    def __iter__(self):
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        self.left -= 1
        return self.left


@pytest.mark.parametrize(
    ("iterator", "content"),
    [
        ((i * i for i in range(3)), [0, 1, 4]),
        (map(str, [1, 2]), ["1", "2"]),
        (filter(None, [0, 1]), [1]),
        (zip([1], [2], strict=True), [(1, 2)]),
        (enumerate("a"), [(0, "a")]),
        (reversed([1, 2]), [2, 1]),
        (iter({1: 2}), [1]),
        (itertools.islice(itertools.count(), 2), [0, 1]),
        (Countdown(), [2, 1, 0]),
    ],
)
def test_an_iterator_arrives_as_one_over_its_content(iterator, content):
    arrived = decode(encode(iterator))
    assert type(arrived) is type(iter([]))
    assert list(arrived) == content


def test_what_an_iterator_raises_is_the_callers():
    with pytest.raises(ZeroDivisionError):
        encode(1 // (1 - i) for i in range(3))


@pytest.mark.parametrize("item", [None, 10**6, "x" * 5000, []], ids=["None", "int", "str", "list"])
def test_an_endless_iterator_is_refused(item, golden_text):
    with pytest.raises(Unsendable) as error:
        encode(itertools.repeat(item))
    golden_text(error)


def test_an_endless_iterator_inside_a_set_is_refused(golden_text):
    with pytest.raises(Unsendable) as error:
        encode({itertools.repeat("x" * 5000)})
    golden_text(error)


@pytest.mark.parametrize("make", [lambda n: "x" * n, bytes, bytearray, lambda n: 1 << 8 * n, lambda n: [None] * n])
def test_a_value_over_the_limit_of_bytes_is_refused(make, golden_text):
    assert len(encode(make(MAX_BYTES - 9))) <= MAX_BYTES
    with pytest.raises(Unsendable) as error:
        encode(make(MAX_BYTES))
    golden_text(error)


def test_a_value_that_unfolds_without_end_is_refused():
    value = []
    for _ in range(MAX_DEPTH - 2):
        value = [value, value]
    with pytest.raises(Unsendable, match="bytes"):
        encode(value)


def nested(depth: int) -> list:
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_a_value_may_be_as_deep_as_the_limit_and_no_deeper(golden_text):
    assert decode(encode(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(Unsendable) as error:
        encode(nested(MAX_DEPTH + 1))
    golden_text(error)


def test_a_value_that_holds_itself_is_refused(golden_text):
    loop, table = [], {}
    loop.append(loop)
    table["self"] = (table,)
    for value in (loop, table):
        with pytest.raises(Unsendable) as error:
            encode(value)
        golden_text(error)


Point = namedtuple("Point", "x y")
Colour = enum.IntEnum("Colour", "RED")
Name = enum.StrEnum("Name", "ANNA")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Point(1, [2]), (1, [2])),
        (Colour.RED, 1),
        (Name.ANNA, "anna"),
        (type("MyCounter", (Counter,), {})("aab"), Counter("aab")),
        (type("MyDeque", (deque,), {})([1], 4), deque([1], 4)),
        (type("MyDefault", (defaultdict,), {})(list, {1: [2]}), defaultdict(list, {1: [2]})),
    ],
)
def test_a_subclass_arrives_equal_to_its_base_and_not_of_its_exact_type(value, plain):
    arrived = decode(encode(value))
    assert arrived == value == plain
    assert isinstance(arrived, type(plain))
    assert type(arrived) is not type(plain)
    assert described_as(type(plain), arrived) == described(plain)
    assert encode(arrived) == encode(value)


def described_as(kind: type, value: object) -> object:
    """The description of a value of a subclass, as if it were of its base ``kind``."""
    said = described(kind(value) if kind in {float, complex, Decimal} else value)
    return (kind, *said[1:]) if isinstance(said, tuple) else said


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (UserList([1, [2]]), list),
        (UserDict({"a": 1}), dict),
        (ChainMap({"a": 1}), dict),
        (MappingProxyType({"a": 1}), dict),
        (type("Own", (UserList,), {})([1]), list),
    ],
)
def test_what_only_behaves_like_a_container_arrives_as_what_is_none(value, plain):
    arrived = decode(encode(value))
    assert arrived == value
    assert not isinstance(arrived, plain)


@pytest.mark.parametrize("make", [set, lambda elements: set(elements).copy()], ids=["grown", "made of a whole"])
def test_most_sets_give_their_elements_in_the_order_in_which_they_gave_them(make):
    draw = random.Random(0)
    sets = [make([draw.choice([n, str(n)]) for n in draw.sample(range(4000), draw.randrange(11))]) for _ in range(500)]
    kept = sum(list(decode(encode(one))) == list(one) for one in sets)
    assert kept >= 430


def test_a_constant_gives_its_elements_in_its_own_order():
    constant = {6, 7, 8, 9, 10, 11, 32, 17}
    assert tuple(decode(encode(constant))) == tuple(constant)


@pytest.fixture
def arrays(monkeypatch):
    monkeypatch.setattr(codec, "READERS", dict(codec.READERS))
    codec.accept_arrays()


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float16("inf"), math.inf),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float64(1.5), 1.5),
        (np.longdouble(2.5), 2.5),
        (np.int8(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.bool_(True), True),
        (np.complex64(1 + 2j), 1 + 2j),
    ],
)
@pytest.mark.usefixtures("arrays")
def test_a_number_of_numpy_arrives_as_one_of_python(value, plain):
    assert described(decode(encode([value]))) == described([plain])


@pytest.mark.usefixtures("arrays")
def test_an_array_of_short_numbers_equals_no_number_that_it_does_not_hold():
    arrived = decode(encode(np.array([np.inf, 1.0], np.float16)))
    assert (arrived == [10**9, 1]).tolist() == [False, True]
    assert decode(encode(np.arange(3))).tolist() == [0, 1, 2]


@pytest.mark.usefixtures("arrays")
@pytest.mark.parametrize("value", [np.array([[1, 2]]), Fraction(1, 3), Decimal("1.5")])
def test_a_subclass_of_what_other_modules_define_is_not_of_the_exact_type_either(value):
    base = type(value)
    own = type("Own", (base,), {"__eq__": lambda *_: True})
    arrived = decode(encode(value.view(own) if base is np.ndarray else own(value)))
    assert isinstance(arrived, base)
    assert type(arrived) not in {base, own}
    assert np.array_equal(arrived, value)
    assert type(decode(encode(value))) is base


@pytest.mark.parametrize("value", [np.arange(3), np.float16(1)])
def test_an_array_is_malformed_where_the_package_was_not_asked_for(value):
    with pytest.raises(Malformed):
        decode(encode(value))


@pytest.mark.usefixtures("arrays")
@pytest.mark.parametrize("kind", [",f8", "=f8", "<f8,", "<f\u00b2", "<O8", b"<f8", ["<f8"], None])
def test_an_array_of_a_type_that_numpy_does_not_name_so_is_malformed(kind):
    with pytest.raises(Malformed):
        decode(b"n" + encode([kind, (1,), bytes(8)])[1:])


def test_a_tuple_is_made_of_the_frames_of_its_items():
    found = re.match("a(b)", "ab")
    assert decode(codec.tuple_of(encode([1]), encode(found), encode({})))[1].group(1) == "b"
    with pytest.raises(Unsendable):
        codec.tuple_of(encode(bytes(MAX_BYTES - 9)), encode([]))


def lies(*_arguments, **_named):
    raise AssertionError("a method of the value's own class was asked")


OVERRIDDEN = dict.fromkeys(
    (
        *("__iter__", "__len__", "__eq__", "__ne__", "__lt__", "__bool__", "__contains__", "__getitem__", "__reduce__"),
        *("__reduce_ex__", "__getstate__", "__index__", "__int__", "__float__", "__complex__", "__str__", "__repr__"),
        *("__bytes__", "__format__", "__abs__", "__add__", "__copy__", "__deepcopy__", "__next__", "__getattribute__"),
        *("items", "keys", "values", "encode", "to_bytes", "bit_length", "hex", "copy", "numerator", "denominator"),
    ),
    lies,
)


@pytest.mark.parametrize(
    "plain",
    [
        *(7, -(10**30), 1.5, 2 - 1j, "text", b"bytes", bytearray(b"array"), [1, 2], (1, 2), {1, 2}, frozenset({1, 2})),
        *({"a": 1}, OrderedDict(a=1), Counter("aab"), deque([1, 2], 3), defaultdict(int, a=1), Decimal("1.10")),
    ],
    ids=lambda plain: type(plain).__name__,
)
def test_a_subclass_that_lies_is_not_asked(plain):
    kind = type(plain)
    liar = type("Liar", (kind,), {**OVERRIDDEN, "__class__": property(lies), "__hash__": lies})
    arguments = (plain.maxlen,) if kind is deque else ()
    value = kind.__new__(liar, plain) if kind.__hash__ else kind.__new__(liar)
    if kind is defaultdict:
        kind.__init__(value, int, plain)
    elif not kind.__hash__:  # Counter's own would ask the value for its items
        (dict if kind is Counter else kind).__init__(value, plain, *arguments)
    (arrived,) = decode(encode([value]))
    assert described_as(kind, arrived) == described(plain)
    assert isinstance(arrived, kind)


def test_a_class_that_pretends_to_be_a_list_is_refused(golden_text):
    with pytest.raises(Unsendable) as error:
        encode(type("Pretender", (), {"__class__": list, "__iter__": lambda _: iter([1]), "__len__": lambda _: 1})())
    golden_text(error)


def test_a_class_that_only_bears_the_name_of_a_known_one_is_refused(golden_text):
    with pytest.raises(Unsendable) as error:
        encode(type("Fraction", (), {"__module__": "fractions", "numerator": 1, "denominator": 2})())
    golden_text(error)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (object(), "type object"),
        (len, "type builtin_function_or_method"),
        ([lambda: 1], "type function"),
        ({"a": sys}, "type module"),
        (ValueError(), "type ValueError"),
        (enum.Enum("Plain", "ONE").ONE, "type Plain"),
        (Countdown, "class Countdown"),
        (NotImplemented, "type NotImplementedType"),
    ],
)
def test_what_can_not_cross_is_named(value, named):
    with pytest.raises(Unsendable, match=named):
        encode(value)


def test_a_class_arrives_as_itself():
    assert decode(encode([int, str, NoneType, Counter])) == [int, str, NoneType, Counter]


def test_a_factory_that_is_not_in_the_list_is_dropped():
    arrived = decode(encode(defaultdict(lambda: 3, {1: 2})))
    assert (type(arrived), arrived.default_factory, arrived) == (defaultdict, None, {1: 2})


def assert_is_read_or_malformed(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        decode(data)


@settings(deadline=None, max_examples=1500)
@given(st.binary(max_size=200))
def test_random_bytes_are_read_or_malformed(data):
    assert_is_read_or_malformed(data)


tokens = st.sampled_from(
    [bytes([tag]) for tag in (*codec.READERS, codec.END, codec.END, 0x80, 0x81)]
    + [b"s\x01a", b"s\x01\xff", b"i\x00", b"i\x08abcdefgh", b"f12345678", b"D\x03sNa", b"D\x021e", b"C\x00", b"C\xff"]
)


@settings(deadline=None, max_examples=3000)
@given(st.lists(tokens, max_size=25))
def test_random_tokens_are_read_or_malformed(parts):
    assert_is_read_or_malformed(b"".join(parts))


@settings(deadline=None, max_examples=500)
@given(values, st.data())
def test_a_frame_with_a_few_bytes_changed_is_read_or_malformed(value, data):
    frame = bytearray(encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(frame)))
        frame[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    assert_is_read_or_malformed(bytes(frame))


@settings(deadline=None, max_examples=300)
@given(values, st.data())
def test_a_frame_that_is_torn_or_too_long_is_malformed(value, data):
    frame = encode(value)
    for wrong in (frame[: data.draw(st.integers(0, len(frame) - 1))], frame + b"N", frame + b";"):
        with pytest.raises(Malformed):
            decode(wrong)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b";",
        b"!",
        b"[",
        b"[" * 200 + b";" * 200,
        b"[" * 100_000,
        b"q" * 100_000,
        b"<[;;",
        b"{[;N;",
        b"k<;;",
        b"{N;",
        b"s\x01\xff",
        b"r\x80\x80\x80;",
        b"r\x80;",
        b"rN\x80\x80;",
        b"/\x81\x80;",
        b"/s\x0b1e999999999;",
        b"/s\x0b1e999999999\x81;",
        b"cs\x041+2j;",
        b"q;",
        b"qi\x01\xff;",
        b"qi\x10" + b"\x7f" * 16 + b";",
        b"d\x85;",
        b"d;",
        b"C\xff",
        b"D\x04\xd9\xa1\xd9\xa2",
        b"<D\x04sNaN;",
        b"f1234567",
        b"ST",
        b"SS\x81",
        b"S" * 100_000,
        b"hN",
        b"n[;",
    ],
    ids=lambda data: repr(data[:24]),
)
def test_a_frame_of_what_can_not_be_is_malformed(data):
    with pytest.raises(Malformed):
        decode(data)


def peak_bytes_of(data: bytes) -> int:
    """The most that reading took, over what was there before."""
    tracemalloc.start()
    try:
        assert_is_read_or_malformed(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("tag", [b"s", b"b", b"a", b"i", b"D"])
@pytest.mark.parametrize("length", [b"\xff\xff\xff\xff\xff", b"\xff\xff\xff\x7f\x00", b"\xfe"])
def test_a_length_that_lies_takes_no_memory(tag, length):
    data = tag + length + b"x" * 20
    with pytest.raises(Malformed):
        decode(data)
    assert peak_bytes_of(data) < 16 << 10


@pytest.mark.parametrize(
    "part",
    [
        b"[;",
        b"<;",
        b"{;",
        b"qN;",
        b"~;",
        b"v;",
        b"(\x80;",
        b"{\x80\x80;",
        b"N",
        b"i\x02aa",
        b"u;",
        b"h;",
        b"S\x80",
        b"S[;",
    ],
)
def test_a_frame_takes_memory_by_its_size(part):
    data = b"[" + part * (200_000 // len(part)) + b";"
    assert peak_bytes_of(data) < 60 * len(data) + (16 << 20)


def test_more_bytes_than_the_limit_are_malformed(golden_text):
    with pytest.raises(Malformed) as error:
        decode(b"N" * (MAX_BYTES + 1))
    golden_text(error)


def test_the_module_works_in_a_bare_interpreter_and_brings_little_with_it():
    program = (
        f"import sys; sys.path.insert(0, {str(INSIDE.parent)!r})\n"
        "from collections import Counter\nbefore = set(sys.modules)\n"
        "from inside import codec\n"
        "assert codec.decode(codec.encode([1.5, {'a'}, Counter('b')])) == [1.5, {'a'}, Counter('b')]\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    command = [sys.executable, "-P", "-s", "-S", "-B", "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["__future__", "inside", "inside.codec"]


UTC = dt.UTC
MOMENTS = [
    dt.date(2020, 1, 2),
    dt.time(3, 4, 5, 6),
    dt.datetime(2020, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001 - a time without a zone
    dt.datetime(2020, 1, 2, tzinfo=UTC),
    dt.datetime(2020, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")),
    dt.timedelta(days=-1, seconds=2, microseconds=3),
    dt.timezone(dt.timedelta(hours=2)),
    memoryview(b"abc"),
    UserString("text"),
]


@pytest.mark.parametrize("value", MOMENTS, ids=lambda value: type(value).__name__)
def test_a_date_a_view_and_a_user_string_arrive_equal_and_of_their_type(value):
    arrived = decode(encode(value))
    assert (arrived, type(arrived)) == (value, type(value))


@pytest.mark.parametrize("name", ["Europe", "../../../etc/passwd", "/etc/passwd", "a\0b", "Europe/Nowhere", 5])
def test_what_names_no_time_zone_is_malformed(name):
    with pytest.raises(Malformed):
        decode(b"Z" + encode(name))


def test_a_match_arrives_with_its_groups():
    match = re.search("(?P<a>b)(c)?", "abd")
    arrived = decode(encode(match))
    assert arrived
    for ask in ("group()", "group(1)", "group('a', 2)", "groups()", "groups('')", "groupdict()", "span()", "start(2)"):
        assert eval(f"arrived.{ask}") == eval(f"match.{ask}"), ask
    assert (arrived["a"], arrived.string, arrived.lastindex) == (match["a"], match.string, match.lastindex)
