import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from evalharness.report.parts import Code, Table
from evalharness.report.printable import one_line, shortened, visible
from evalharness.report.writers.markdown import code, fenced, inline, table

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
anything = st.text(st.characters(exclude_categories=()) | st.sampled_from("`|\\<*_[]()#-\n\t\x00 "), max_size=60)


def text_of(inline) -> str:
    return "".join(child.content for child in inline.children)


@given(anything)
def test_prose_is_one_paragraph_that_shows_just_the_text(text):
    # GitHub knows more marks than this parser; what can be asked here is that nothing becomes markup.
    tokens = MARKDOWN.parse(f"{inline(text)} end")
    assert [t.type for t in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert text_of(tokens[1]) == one_line(f"{' '.join(text.split())} end".strip())


@given(anything)
def test_inline_code_shows_just_the_text(text):
    (_, inline, _) = MARKDOWN.parse(f"a {code(text)} b")
    shown = [child.content for child in inline.children if child.type == "code_inline"]
    assert shown == [one_line(text) or " "]


@given(anything)
def test_a_fence_holds_all_of_the_text(text):
    tokens = MARKDOWN.parse(f"before\n\n{fenced(text)}\n\nafter")
    assert [t.type for t in tokens[3:4]] == ["fence"]
    assert tokens[3].content == visible(text).removesuffix("\n") + "\n"
    assert tokens[-2].content == "after"


@given(anything, anything)
def test_a_cell_stays_one_cell(first, second):
    tokens = MARKDOWN.parse(table(Table(("a", "b"), ((Code(first), second),))))
    cells = [tokens[i + 1] for i, token in enumerate(tokens) if token.type == "td_open"]
    assert len(cells) == 2
    assert text_of(cells[1]).strip() == one_line(" ".join(second.split())).strip()
    assert "tbody_open" in [t.type for t in tokens]


def test_a_table_reads_as_one_without_a_renderer():
    assert table(Table(("Kind", "n"), (("newline", "58"), ("a|b", "1")), frozenset({1}))) == (
        "| Kind    |   n |\n| ------- | --: |\n| newline |  58 |\n| a\\|b    |   1 |"
    )


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("2 * 3 and snake_case and [data] train", "2 * 3 and snake_case and [data] train"),
        ("0.1.0", "0.1.0"),
        ("-5", "-5"),
        ("1. first", "1\\. first"),
        ("# title", "\\# title"),
        ("__init__", "\\_\\_init\\_\\_"),
        ("[a](b)", "\\[a\\](b)"),
        ("<b>&amp;", "\\<b>\\&amp;"),
    ],
)
def test_prose_escapes_no_more_than_it_has_to(text, escaped):
    assert inline(text) == escaped


def test_what_cannot_be_seen_is_escaped():
    assert visible("a\x1b[0m\u202e\ud800\t\n\u00a0") == "a\\x1b[0m\\u202e\\ud800\t\n\\xa0"
    assert one_line("a\n\t") == "a\\n\\t"
    assert shortened("abcdef", 4) == "abc…"
