"""Writes a report as pages that can be opened from a file: the document, and the completions to browse.

One page holds everything. Completions that would make it too large are on pages of their own, which load when they are
opened: a page can fetch nothing from a file beside it, but it can link to one, and that works without scripts.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from evalharness.report.parts import Figure, Heading, plain_text
from evalharness.report.printable import one_line
from evalharness.runs import paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from markupsafe import Markup

    from evalharness.report.completion_browser import BrowsedProblem, CompletionBrowser
    from evalharness.report.parts import Part

WHOLE_BYTES = 4_900_000
"""What a report's own page may be with all completions in it: a file of less than 5 MB."""
PART_BYTES = 1_500_000
"""The completions on another page: few enough to be there at once, many enough for few files."""


def to_html(document: Iterable[Part], *, links: Mapping[str, str] | None = None) -> str:
    """Return the document as a page. The same parts give the same text.

    ``links`` has other targets for those of links in the document: ``report.html`` for ``report.md``.
    """
    return _report_page(document, links)


def to_pages(
    document: Iterable[Part], browser: CompletionBrowser, *, links: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the document with the completions as pages, by their names; the report's own comes first."""
    from evalharness.report.writers import html_browser  # noqa: PLC0415 - a card needs no page

    parts = tuple(document)
    pieces = [(problem, html_browser.problem_html(problem, browser)) for problem in browser.problems]
    if not pieces:
        return {paths.REPORT_PAGE: _report_page(parts, links)}
    filters = html_browser.filters_html(browser.problems, browser)
    if sum(len(piece) for _, piece in pieces) <= WHOLE_BYTES:
        whole = _report_page(parts, links, _completions(filters, [piece for _, piece in pieces]))
        if len(whole.encode()) <= WHOLE_BYTES:
            return {paths.REPORT_PAGE: whole}
    chunks = list(_chunks(pieces))
    rows = [
        html_browser.indexed(problem, paths.page_part(number), browser)
        for number, chunk in enumerate(chunks, 1)
        for problem, _ in chunk
    ]
    pages = {paths.REPORT_PAGE: _report_page(parts, links, _completions(filters, [html_browser.index_html(rows)]))}
    title = _title(parts)
    return pages | {paths.page_part(i): _part_page(title, i, chunks, browser) for i in range(1, len(chunks) + 1)}


def with_figure_first(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return the parts with the first figure above the first section: a page is looked at before it is read."""
    above = tuple(takewhile(lambda part: not (isinstance(part, Heading) and part.level > 1), parts))
    below = parts[len(above) :]
    figure = next((part for part in below if isinstance(part, Figure)), None)
    return parts if figure is None else (*above, figure, *(part for part in below if part is not figure))


def _report_page(document: Iterable[Part], links: Mapping[str, str] | None, completions: Markup | None = None) -> str:
    from evalharness.report.writers.html_page import page_html  # noqa: PLC0415 - as above
    from evalharness.report.writers.html_parts import Anchor, parts_html  # noqa: PLC0415 - as above

    parts = with_figure_first(tuple(document))
    body, anchors = parts_html(parts, links or {})
    contents = [anchor for anchor in anchors if anchor.level == 2]
    if completions is None:
        return page_html(_title(parts), _with_lead(body), contents)
    contents.append(Anchor("completions", "All completions", 2))
    return page_html(_title(parts), _with_lead(body) + completions, contents)


def _part_page(
    title: str, number: int, chunks: Sequence[Sequence[tuple[BrowsedProblem, Markup]]], browser: CompletionBrowser
) -> str:
    """One page of completions, with the way to the report and to its neighbours."""
    from markupsafe import Markup  # noqa: PLC0415 - as above

    from evalharness.report.writers import html_browser  # noqa: PLC0415 - as above
    from evalharness.report.writers.html_page import page_html  # noqa: PLC0415 - as above

    chunk = chunks[number - 1]
    ways = {"report": paths.REPORT_PAGE}
    ways |= {"previous": paths.page_part(number - 1)} if number > 1 else {}
    ways |= {"next": paths.page_part(number + 1)} if number < len(chunks) else {}
    ways_html = Markup(" · ").join(
        Markup('<a class="part" href="{}">{}</a>').format(path, words) for words, path in ways.items()
    )
    head = Markup("<h1>{}</h1>\n<p>Completions, page {} of {}: {}</p>\n").format(title, number, len(chunks), ways_html)
    filters = html_browser.filters_html([problem for problem, _ in chunk], browser)
    return page_html(f"{title}: completions {number}", head + filters + Markup("\n").join(html for _, html in chunk))


def _completions(filters: Markup, pieces: Sequence[Markup]) -> Markup:
    from markupsafe import Markup  # noqa: PLC0415 - as above

    from evalharness.report.writers.html_browser import LEGEND  # noqa: PLC0415 - as above

    head = Markup('\n<h2 id="completions">All completions</h2>\n')
    return head + LEGEND + filters + Markup("\n").join(pieces)


def _chunks(pieces: Iterable[tuple[BrowsedProblem, Markup]]) -> Iterator[list[tuple[BrowsedProblem, Markup]]]:
    """The problems in their order, as many to a page as fit; at least one."""
    chunk: list[tuple[BrowsedProblem, Markup]] = []
    size = 0
    for problem, piece in pieces:
        length = len(piece.encode())
        if chunk and size + length > PART_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append((problem, piece))
        size += length
    yield chunk


def _title(parts: Iterable[Part]) -> str:
    """The text of the first heading."""
    return next((one_line(plain_text(part.text)) for part in parts if isinstance(part, Heading)), "evalharness")


def _with_lead(body: Markup) -> Markup:
    """The body with what stands above its first section in an element of its own."""
    from markupsafe import Markup  # noqa: PLC0415 - as above

    lead, heading, rest = body.partition("\n<h2")
    return Markup('<header class="lead">\n{}\n</header>').format(lead) + heading + rest
