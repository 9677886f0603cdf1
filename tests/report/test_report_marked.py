import re

import pytest
import report_example as example
from hypothesis import given
from hypothesis import strategies as st

from evalharness.degeneration import analyse
from evalharness.report.loop_rows import copies_of, in_row, marked_loop

ROW = re.compile(r"(copy \d |cut    |last   |       )([│├└])(.*)")


def rows(text: str, found) -> list[str]:
    return [str(row) for row in marked_loop(text, found.loop, found).rows]


def marked(text: str, **known) -> list[str]:
    found = analyse(text, stop_reason="max_new_tokens", **known)
    assert found.loop is not None
    return rows(text, found)


def test_one_sees_where_the_loop_begins_what_a_copy_is_and_where_it_ends():
    ids = [1, 2, 3, example.NEWLINE, *[6] * 80]
    text = example.decode(ids)
    assert marked(text, token_ids=ids, decode=example.decode) == [
        "       │    return a⏎",
        "       ├── the loop begins: token 4, character 13",
        "copy 1 │ return",
        "copy 2 │ return",
        "copy 3 │ return",
        "       ├── … 77 more copies",
        "       └── still looping when generation stopped: 80 copies, 80 tokens, 560 characters",
    ]


def test_a_copy_that_is_cut_short_and_what_follows_the_loop_are_shown():
    lines = marked("    return a" + "\n    x = 1\n    y = 2" * 12 + "\n    x = 1\n" + "    z\n")
    assert lines == [
        "       │    return a",
        "       ├── the loop begins: character 12",
        *["copy 1 │⏎", "       │    x = 1⏎", "       │    y = 2"],
        *["copy 2 │⏎", "       │    x = 1⏎", "       │    y = 2"],
        *["copy 3 │⏎", "       │    x = 1⏎", "       │    y = 2"],
        "       ├── … 9 more copies",
        *["cut    │⏎", "       │    x = 1⏎", "       │····"],
        "       ├── the loop ends: 12 copies, 255 characters",
        "       │z⏎",
    ]


def test_a_near_loop_shows_its_last_line_too():
    lines = marked("".join(f"    x{n} = {n}\n" for n in range(100, 130)))
    assert lines[1:] == [
        "copy 1 │    x100 = 100⏎",
        "copy 2 │    x101 = 101⏎",
        "copy 3 │    x102 = 102⏎",
        "       ├── … 26 more copies, not all identical",
        "last   │    x129 = 129⏎",
        "       └── still looping when generation stopped: 30 copies, 449 characters",
    ]


def test_a_loop_that_the_model_ended_is_not_called_cut():
    text = "return " * 60
    found = analyse(text, stop_reason="end_token")
    assert rows(text, found)[-1].endswith("the model ended the completion here: 60 copies, 420 characters")


def test_copies_of_a_loop_with_interruptions_begin_where_a_clean_one_does():
    region = "a b c a b c a X c a b c a b c "
    found = analyse("a b c " * 60, stop_reason="max_new_tokens").loop
    assert found.text == "a b c "
    assert copies_of(found, region) == ["a b c ", "a b c a X c ", "a b c ", "a b c "]
    assert copies_of(found, "X c a b c ") == ["X c ", "a b c "]
    assert copies_of(found, "") == []


def test_where_in_the_tokens_a_loop_of_characters_begins_is_called_about(golden_text):
    ids = list(range(300, 400))
    lines = marked("xy" + "ab" * 149, token_ids=ids)
    golden_text(lines[1])
    golden_text(lines[-1])


def test_long_texts_before_and_after_a_loop_are_cut_where_it_does_not_matter(golden_text):
    before = "".join(f"    {'abcdefghijklmnop'[i % 16] * (3 + i)} = f({i * i})\n" for i in range(20))
    lines = marked(before + "\n" * 200)
    golden_text(lines[3])
    assert [line[8:] for line in lines[:3]] == [f"{line}⏎" for line in before.split("\n")[:3]]
    assert lines[8].endswith("= f(361)")


def test_a_long_row_keeps_what_is_next_to_the_loop():
    lines = marked("x = '" + "".join(chr(97 + i * i % 26) for i in range(300)) + "END" + "no " * 200)
    assert lines[0].startswith("       │…")
    assert lines[0].endswith("END")
    assert len(lines[0]) == 8 + 100


@pytest.mark.parametrize(("line", "row"), [("a  \n", "a··⏎"), ("\t", "\\t"), (" a", " a"), ("", ""), ("\n", "⏎")])
def test_blanks_that_end_a_row_can_be_seen(line, row):
    assert in_row(line) == row


HOSTILE = ["copy 1 │x", "       └── still looping", "```", "⏎", "\r", "\x1b[31m", "é", " ", "\n", "a"]


@given(st.lists(st.sampled_from(HOSTILE), max_size=8).map("".join), st.lists(st.sampled_from(HOSTILE), min_size=1))
def test_no_text_can_pass_for_a_mark(before, copy):
    text = before + "".join(copy) * 300
    found = analyse(text, stop_reason="max_new_tokens")
    if found.loop is None:
        return
    parsed = [ROW.fullmatch(line) for line in rows(text, found)]
    assert all(parsed)
    assert sum(row[2] != "│" and "the loop begins" in row[3] for row in parsed) == 1
    shown = [row[3] for row in parsed if row[2] == "│" and row[1] == "copy 1 "]
    assert len(shown) == 1


@given(st.sampled_from(["\n", "ab", "return ", "x = 1\n", "a\n\n\tb\n", "aab"]), st.integers(60, 90), st.integers(0, 3))
def test_the_copies_together_are_the_loop(copy, times, torn):
    text = "def f():\n    pass\n" + copy * times + copy[:torn]
    loop = analyse(text, stop_reason="max_new_tokens").loop
    region = text[slice(*loop.span)]
    copies = copies_of(loop, region)
    assert "".join(copies) == region
    assert {len(c) for c in copies[:-1]} == {len(loop.text)}
