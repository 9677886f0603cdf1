import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.degeneration import analyse
from evalharness.degeneration.short_loops import find_short

LINE = "    return sorted(numbers, key=abs)\n"
SHORT = {
    "newlines and nothing else": ("\n" * 32, "newline"),
    "newlines after one line of code": (LINE + "\n" * 40, "newline"),
    "a dozen newlines after an answer": (LINE * 2 + "\n" * 12, "newline"),
    "blank lines": (LINE + "    \n" * 12, "whitespace"),
    "blanks and nothing else": (" " * 40, "whitespace"),
    "a dozen brackets with colons": ("):" * 12, "phrase"),
    "a dozen commas": ("," * 12, "token"),
    "a dozen commas after a sign": ("(" + "," * 12, "token"),
    "a dozen words": ("return " * 12, "token"),
}


@pytest.mark.parametrize(("text", "kind"), SHORT.values(), ids=SHORT)
@pytest.mark.parametrize("stop_reason", [None, "max_new_tokens"])
def test_a_short_loop_that_was_cut_is_a_loop_of_its_kind(text, kind, stop_reason):
    found = analyse(text, stop_reason=stop_reason)
    assert (found.degenerate, found.kind, found.ran_to_limit) == (True, kind, True)


@pytest.mark.parametrize(
    "text",
    [
        LINE + "\n" * 6,
        "    x = [" + "," * 12,
        LINE + ")" * 12,
        "    return ((((((((((1))))))))))\n",
        "    return 10000000000000\n",
        "# ------------\n    return 1\n",
    ],
)
def test_a_few_blank_lines_or_equal_signs_after_sound_code_are_no_loop(text):
    assert not analyse(text).degenerate


@pytest.mark.parametrize("text", ["", "\n\n", "    ", "    \n" * 8, "\n" * 9])
def test_nothing_or_almost_nothing_is_empty(text):
    assert analyse(text).kind == "empty"


@pytest.mark.parametrize("stop_reason", ["max_new_tokens", "context_full"])
def test_a_run_of_blanks_that_a_limit_cut_is_whitespace_and_not_nothing(stop_reason):
    blanks = " " * 24
    assert analyse(blanks, [ord(c) for c in blanks], stop_reason=stop_reason).kind == "whitespace"
    assert analyse("  ", stop_reason=stop_reason).kind == "empty"
    assert analyse(blanks, stop_reason="end_token").kind == "empty"


def test_a_model_that_ended_by_itself_after_newlines_wrote_an_answer():
    assert not analyse(LINE + "\n" * 12, stop_reason="end_token").degenerate


def test_the_newline_loop_at_a_short_limit_is_told_with_its_tokens():
    found = analyse("\n" * 32, [198] * 32, stop_reason="max_new_tokens")
    assert (found.kind, found.loop.unit, found.loop_tokens, found.copies) == ("newline", "token", (0, 32), 32)
    code = [11, 12, 13, 14, 15, 16, 17, 18]
    after = analyse(LINE + "\n" * 24, [*code, *[198] * 24], stop_reason="max_new_tokens")
    assert (after.kind, after.loop_tokens) == ("newline", (8, 32))
    in_pairs = analyse("\n" * 24, [271] * 12, decode=lambda ids: "\n\n" * len(ids), stop_reason="max_new_tokens")
    assert (in_pairs.kind, in_pairs.loop_tokens) == ("newline", (0, 12))


@given(st.text(alphabet="a,\n ", max_size=120))
def test_what_is_found_lies_in_the_text(text):
    run = find_short(text)
    if run is not None:
        assert 0 <= run.onset < run.end <= len(text)
