"""The parts of a report again, from its Markdown: what a terminal shows of a report whose records are not all kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

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
    Strong,
    Table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.report.parts import Part, Span

STYLED: dict[str, type[Strong | Emphasis]] = {"strong": Strong, "em": Emphasis}


def parts_of_markdown(text: str) -> tuple[Part, ...]:
    """Return the parts that :func:`evalharness.report.to_markdown` wrote; a passage comes back as a listing."""
    tree = SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(text))
    return tuple(part for node in tree.children for part in _parts(node))


def _parts(node: SyntaxTreeNode) -> Iterator[Part]:
    match node.type:
        case "heading":
            yield Heading(_text(node), int(node.tag[1:]))
        case "paragraph" if (image := _image(node)) is not None:
            yield Figure(str(image.attrs["src"]), b"", image.content)
        case "paragraph":
            yield Paragraph(_text(node))
        case "bullet_list":
            yield BulletList(tuple(map(_text, node.children)))
        case "ordered_list":
            yield NumberedList(tuple(map(_text, node.children)))
        case "fence" | "code_block":
            yield Listing(node.content)
        case "table":
            yield _table(node)


def _table(node: SyntaxTreeNode) -> Table:
    rows = [row.children for part in node.children for row in part.children]
    right = frozenset(i for i, cell in enumerate(rows[0]) if "right" in str(cell.attrs.get("style", "")))
    header, *others = (tuple(map(_text, row)) for row in rows)
    return Table(header, tuple(others), right)


def _image(paragraph: SyntaxTreeNode) -> SyntaxTreeNode | None:
    """The image of a paragraph that is nothing else."""
    inside = paragraph.children[0].children if paragraph.children else []
    return inside[0] if len(inside) == 1 and inside[0].type == "image" else None


def _text(node: SyntaxTreeNode) -> tuple[Span, ...]:
    return tuple(span for child in node.children for span in _spans(child))


def _spans(node: SyntaxTreeNode) -> Iterator[Span]:
    if node.type == "text":
        yield node.content
    elif node.type == "code_inline":
        yield Code(node.content)
    elif node.type in STYLED:
        yield STYLED[node.type](_plain(node))
    elif node.type == "link":
        yield Link(_plain(node), str(node.attrs["href"]))
    elif node.type in {"softbreak", "hardbreak"}:
        yield " "
    else:
        yield from _text(node)


def _plain(node: SyntaxTreeNode) -> str:
    return "".join(child.content or _plain(child) for child in node.children)
