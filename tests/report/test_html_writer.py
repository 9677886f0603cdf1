"""A document as a page: every part is in it, nothing that a text says becomes markup, and nothing is loaded."""

from __future__ import annotations

from typing import get_args

import pytest
import report_example as example
from page_reader import Page, digest, loads_of

from evalharness.report import checkpoint_document, figures_of, to_html
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
)

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="10pt" viewBox="0 0 1 1"><g id="g" style="fill: red"/></svg>'
PARTS = {
    Heading: (Heading("words"), "h2", "words"),
    Paragraph: (Paragraph(("a ", Code("b"), Strong("c"), Emphasis("d"), Link("e", "f"))), "p", "a bcde"),
    BulletList: (BulletList(("words",)), "li", "words"),
    NumberedList: (NumberedList(("words",)), "li", "words"),
    Table: (Table(("a",), (("words",),)), "td", "words"),
    Figure: (Figure("figures/a.svg", SVG, "what"), "figcaption", "what"),
    Listing: (Listing("\n\nwords\n  more"), "pre", "\n\n\nwords\n  more"),
    Passage: (
        Passage((PassageRow("copy 1", "│", "x⏎"), PassageRow("", "└── ", "e"))),
        "pre",
        "\ncopy 1 │x⏎\n       └── e",
    ),
    Folded: (Folded("words", (Table(("a",), (("b",),)),)), "summary", "words"),
}
HOSTILE = (
    "<script>window.ran = 1</script>",
    "</pre></td></style></script><img src=x onerror=window.ran=1>",
    '"><svg onload=window.ran=1>',
    "{{ 7 * 7 }}{% raw %}",
    "\x00\x1b[31m\r\u202e\u2028\ud800 &lt;b&gt; <!-- -->",
)


@pytest.mark.parametrize("kind", get_args(Part))
def test_every_part_is_on_the_page(kind):
    part, tag, text = PARTS[kind]
    assert text in Page(to_html([part])).texts(tag)


def every_part_with(text: str) -> list[Part]:
    spans = (text, Code(text), Strong(text), Emphasis(text), Link(text, text))
    return [
        *(Heading(text, 1), Paragraph(spans), BulletList((text,)), NumberedList((text,)), Table((text,), ((text,),))),
        *(Figure("figures/a.svg", SVG, text), Listing(text), Passage((PassageRow(text, "│", text),))),
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text):
    page, harmless = Page(to_html(every_part_with(text))), Page(to_html(every_part_with("x")))
    assert [element.tag for element in page.elements] == [element.tag for element in harmless.elements]
    assert not any(name.startswith("on") for element in page.elements for name in element.attributes)
    assert "49" not in page.of("p")[0].text


def test_what_cant_be_seen_is_shown_escaped():
    page = Page(to_html([Listing(HOSTILE[-1]), Paragraph(HOSTILE[-1])]))
    for tag in ("pre", "p"):
        assert all(char.isprintable() for char in page.texts(tag)[0].strip())


def test_the_policy_allows_our_script_and_our_style_alone():
    page = Page(to_html([Paragraph("x")]))
    policy = page.policy()
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    assert policy["script-src"] == [digest(script.text) for script in page.of("script")]
    assert policy["style-src"] == [digest(style.text) for style in page.of("style")]
    assert not any("style" in element.attributes for element in page.elements)


def test_a_page_loads_nothing():
    card, evidence = example.scorecard(), example.evidence()
    html = to_html(checkpoint_document(card, evidence, figures_of(card, evidence)))
    assert not loads_of(html)


def test_the_first_figure_stands_above_the_first_section():
    figures = [Figure(f"figures/{name}.svg", SVG, name) for name in "ab"]
    page = Page(to_html([Heading("t", 1), Paragraph("lead"), Heading("s"), Paragraph("p"), *figures]))
    order = [e.text for e in page.elements if e.tag in {"h1", "h2", "p", "figcaption"}]
    assert order == ["t", "lead", "a", "s", "p", "b"]


def test_figures_keep_their_names_apart():
    drawing = SVG.replace(b"<g ", b'<use href="#g" clip-path="url(#g)"/><g ')
    page = Page(to_html([Figure(f"figures/{name}.svg", drawing, name) for name in "ab"]))
    assert [g.attributes["id"] for g in page.of("g")] == ["a-g", "b-g"]
    assert [(u.attributes["href"], u.attributes["clip-path"]) for u in page.of("use")] == [
        ("#a-g", "url(#a-g)"),
        ("#b-g", "url(#b-g)"),
    ]
    assert page.of("g")[0].attributes["fill"] == "red"


def test_every_section_can_be_linked_to():
    page = Page(to_html([Heading("t", 1), Heading("Same"), Heading("Same"), Heading("<x>")]))
    ids = [h.attributes["id"] for h in page.of("h2")]
    assert len(set(ids)) == 3
    assert [a.attributes["href"] for a in page.of("a")] == [f"#{name}" for name in ids]


def test_links_lead_to_the_pages_that_are_there():
    page = Page(to_html([Paragraph(Link("x", "s/report.md"))], links={"s/report.md": "s/report.html"}))
    assert [a.attributes["href"] for a in page.of("a")] == ["s/report.html"]
