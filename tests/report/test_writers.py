"""Every part has a place in every writer, and nothing that a text says becomes markup."""

import io
from dataclasses import replace
from typing import get_args

import pytest
import report_example as example
from rich.console import Console

from evalharness.records import Finding
from evalharness.report import checkpoint_document, to_html, to_markdown, to_terminal
from evalharness.report.parts import (
    BulletList,
    Code,
    Emphasis,
    Figure,
    Folded,
    Heading,
    Link,
    Listing,
    NumberedList,
    Paragraph,
    Part,
    Passage,
    PassageRow,
    Strong,
    Table,
    marked,
)

SPANS = ("plain ", Code("code"), " ", Strong("strong"), " ", Emphasis("emphasis"), " ", Link("link", "a/b.md"))
PARTS = {
    Heading: (Heading("words"), "# words", "words"),
    Paragraph: (
        Paragraph(SPANS),
        "plain `code` **strong** *emphasis* [link](a/b.md)",
        "plain code strong emphasis link (a/b.md)",
    ),
    BulletList: (BulletList(("words",)), "- words", "• words"),
    NumberedList: (NumberedList(("words",)), "1. words", "1. words"),
    Table: (Table(("a",), (("words",),)), "| words |", "words"),
    Figure: (Figure("figures/a.svg", b"<svg/>", "what"), "![what](figures/a.svg)", "Figure: what (figures/a.svg)"),
    Listing: (Listing("words\n  more"), "```text\nwords\n  more\n```", "    words\n      more"),
    Passage: (
        Passage((PassageRow("copy 1", "│", "x⏎"), PassageRow("", "└── ", "end"))),
        "copy 1 │x⏎\n       └── end",
        "    copy 1 │x⏎\n           └── end",
    ),
    Folded: (Folded("summary", (Paragraph("words"),)), "summary\n\nwords", "summary\nwords"),
}
HOSTILE = ["[red]x[/red]", "\x1b[31mred", "\x07", "a\x85b", "[link=http://x]y[/link]", "\\[bold]"]


def printed(*parts: Part) -> str:
    console = Console(file=io.StringIO(), width=100, highlight=False)
    console.print(to_terminal(parts))
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


@pytest.mark.parametrize("kind", get_args(Part))
def test_every_part_is_written_as_markdown_and_for_a_terminal(kind):
    part, markdown, terminal = PARTS[kind]
    assert markdown in to_markdown([part])
    assert terminal in printed(part)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup_of_the_terminal(text):
    shown = printed(Heading(text), Paragraph(text), Listing(text), BulletList((text,)), Table((text,), ((text,),)))
    assert not set("\x1b\x07\x85") & set(shown)
    assert shown.count("[red]x[/red]") == (6 if "[red]" in text else 0)


WIDE = Table(
    ("Step", "Verdict", *(f"{name}, sampled, pass@1" for name in ("humaneval", "warmup", "mbpp"))),
    tuple((f"{step:,}", "degenerating", *["100.0 % [98.1, 100.0]"] * 2, "≤ 1e-04") for step in (200, 1000)),
    frozenset({0, 2, 3, 4}),
)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_a_table_breaks_no_word_and_no_figure_at_any_width(width):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(to_terminal([WIDE]))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    shown = " ".join(lines)
    for whole in ("degenerating", "100.0 %", "[98.1, 100.0]", "≤ 1e-04", "humaneval,", "pass@1"):
        assert whole in shown
    assert len(lines) < 2 + 3 * len(WIDE.rows) or width < 120, "where there is room it is a table"


def test_a_terminal_in_colours_says_the_same():
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard", highlight=False)
    console.print(to_terminal([part for part, _, _ in PARTS.values()]))
    assert "\x1b[" in console.file.getvalue()


@pytest.mark.parametrize(
    ("sentence", "spans"),
    [
        ("Set `rope_theta` to 1.", ("Set ", Code("rope_theta"), " to 1.")),
        ("`a` and `b c`", (Code("a"), " and ", Code("b c"))),
        ("one ` alone", ("one ` alone",)),
        ("a fence ```py and ```", ("a fence ```py and ```",)),
        ("quotes ` with ` blanks", ("quotes ` with ` blanks",)),
        ("", ()),
    ],
)
def test_what_stands_between_backticks_in_a_sentence_is_code(sentence, spans):
    assert marked(sentence) == spans


def test_code_in_the_sentences_of_a_record_is_code_on_the_page_and_in_markdown():
    finding = Finding("repaired", "cause", "With `theta` it fits.", {"seen": "in `config.json`"}, "Set `theta`.")
    card = replace(example.scorecard(), findings=(finding,))
    document = checkpoint_document(card, example.evidence(), {})
    page, text = to_html(document), to_markdown(document)
    for code in ("theta", "config.json"):
        assert f"<code>{code}</code>" in page
        assert f"`{code}`" in text
    assert "\\`" not in text.partition("## Completions")[0]
