"""Every part has a place in every writer, and nothing that a text says becomes markup."""

import io
from typing import get_args

import pytest
from rich.console import Console

from evalharness.report import to_markdown, to_terminal
from evalharness.report.parts import (
    BulletList,
    Code,
    Emphasis,
    Figure,
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


def test_a_terminal_in_colours_says_the_same():
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard", highlight=False)
    console.print(to_terminal([part for part, _, _ in PARTS.values()]))
    assert "\x1b[" in console.file.getvalue()
