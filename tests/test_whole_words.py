"""Lines on a terminal: none is broken within a word."""

import os
import pty
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.commands.whole_words import wrapped

WORDS = st.lists(st.text("ab-/.", min_size=1, max_size=30), max_size=40)


@given(WORDS, st.integers(40, 120), st.integers(0, 6))
def test_every_word_stays_whole_and_lines_are_no_wider_than_the_terminal(words, columns, indent):
    lines = wrapped(" " * indent + " ".join(words), columns).split("\n")
    assert [word for line in lines for word in line.split()] == words
    assert all(len(line) <= columns for line in lines if len(line.split()) > 1)


@pytest.mark.parametrize(
    ("line", "begins"),
    [("  lacks   one two three four five six", 10), ("one two three four five six seven", 2), ("  a " + 30 * "b ", 4)],
)
def test_the_rest_of_a_line_begins_below_its_text(line, begins):
    _, *others = wrapped(line, 24).split("\n")
    assert {len(other) - len(other.lstrip()) for other in others} == {begins}


def test_an_error_is_wrapped_between_words_on_a_terminal():
    missing = "reports/of/a/run/that/is/not/there"
    process, screen = pty.fork()
    if process == 0:
        os.environ["COLUMNS"] = "40"
        os.execv(sys.executable, [sys.executable, "-m", "evalharness", "report", missing])
    said = b""
    try:
        while part := os.read(screen, 4096):
            said += part
    except OSError:  # the end of what a terminal gives
        pass
    os.waitpid(process, 0)
    lines = said.decode().partition("evalharness:")[2].splitlines()  # behind the bar
    assert any(missing in line for line in lines)
    assert len(lines) > 2
    assert all(len(line) <= 40 or len(line.split()) == 1 for line in lines)
