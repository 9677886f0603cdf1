import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.degeneration import kind_of
from evalharness.degeneration.kinds import primitive_root

CASES = {
    "\n": "newline",
    "\n\n\n": "newline",
    "\r\n": "newline",
    " ": "whitespace",
    "\n    ": "whitespace",
    "\t\n": "whitespace",
    " return": "token",
    "turn re": "token",
    "dict": "token",
    ":": "token",
    "----": "token",
    " 2": "token",
    "):": "phrase",
    " == 0 0": "phrase",
    "self, ": "phrase",
    "    x = 1\n": "line",
    "= 1\n    x ": "line",
    "\n\n    pass": "line",
    "    a = 1\n    b = 2\n": "block",
    "1\n    b = 2\n    a = ": "block",
    "if x:\n    return\n\n": "block",
}


@pytest.mark.parametrize(("copy", "kind"), CASES.items())
def test_the_text_of_one_copy_names_the_kind(copy, kind):
    assert kind_of(copy) == kind


@pytest.mark.parametrize(("copy", "kind"), CASES.items())
def test_the_kind_does_not_depend_on_where_the_loop_was_entered(copy, kind):
    if "\r" not in copy:
        assert {kind_of(copy[i:] + copy[:i]) for i in range(len(copy))} == {kind}


@given(st.text("ab\n ", min_size=1, max_size=12), st.integers(1, 5))
def test_the_kind_does_not_depend_on_how_many_copies_are_given(copy, copies):
    assert kind_of(copy * copies) == kind_of(copy)


@given(st.text("ab", max_size=12), st.integers(1, 5))
def test_the_primitive_root_repeats_to_the_text_and_has_no_root_of_its_own(copy, copies):
    root = primitive_root(copy * copies)
    assert not root or root * (len(copy) * copies // len(root)) == copy * copies
    assert primitive_root(root) == root
