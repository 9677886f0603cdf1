"""Writes the completions of a browser as HTML: those of each problem together, its prompt and solution beside them.

Texts are escaped by the template; what is not text is attributes that the page's script reads.
"""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

from evalharness.records import NOT_BEGUN
from evalharness.report.printable import one_line, visible
from evalharness.report.shares import KIND_LABELS
from evalharness.report.writers.html_page import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jinja2.environment import TemplateModule

    from evalharness.report.completion_browser import BrowsedCompletion, BrowsedProblem, CompletionBrowser
    from evalharness.report.placed_tokens import Token

LEGEND = Markup(
    '<p class="quiet">The loop of a completion is underlined; ⏎ is the end of a blank line. The stronger the colour of '
    "a token, the higher the entropy of the model's prediction there, from 0 to 4.2 nats and more; point at it for its "
    "id.</p>\n"
)
SOUND = "none"
"""The value of the filter for completions that are not degenerate."""
UNBEGUN = "not_begun"
"""The value of the same filter for completions whose prompt the model never saw."""
NOT_RUN = "not_run"
SIDE_BY_SIDE = 2
"""Checkpoints that have a place beside the prompt; more of them stand below it."""
_BLANK_LINE = re.compile(r"(?<![^\n])\n")


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a filter: what it is called in attributes and in words, and how many completions have it."""

    value: str
    words: str
    count: int


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter: the attribute that it compares, its label, and its values."""

    name: str
    label: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class IndexedProblem:
    """A problem whose completions are on another page, ``part``. ``cells`` has of each what the filters compare."""

    name: str
    task_id: str
    anchor: str
    words: str
    part: str
    cells: str


def problem_html(problem: BrowsedProblem, browser: CompletionBrowser) -> Markup:
    """Return one problem with its completions."""
    columns = [
        (name, [c for c in problem.completions if c.column == column]) for column, name in enumerate(browser.columns)
    ]
    return _rendered(
        "problem", problem=problem, columns=columns, several=len(columns) > 1, wide=len(columns) > SIDE_BY_SIDE
    )


def filters_html(problems: Sequence[BrowsedProblem], browser: CompletionBrowser) -> Markup:
    """Return the form with the filters that ``problems`` give a choice in."""
    return _rendered("filters", filters=tuple(_filters(problems, browser)))


def index_html(problems: Sequence[IndexedProblem]) -> Markup:
    """Return the list of problems whose completions are on other pages."""
    return _rendered("index", problems=problems)


def indexed(problem: BrowsedProblem, part: str, browser: CompletionBrowser) -> IndexedProblem:
    """Return what the list of problems has of one."""
    passed = sum(c.verdict == "passed" for c in problem.completions)
    degenerate = sum(c.kind is not None for c in problem.completions)
    several = len(browser.columns) > 1
    return IndexedProblem(
        name=name_of(problem),
        task_id=one_line(problem.task_id),
        anchor=anchor_of(problem),
        words=f"{len(problem.completions):,} completions, {passed:,} passed, {degenerate:,} degenerate",
        part=part,
        cells=" ".join(",".join((_suffix(c, several), *attributes(c).values())) for c in problem.completions),
    )


def attributes(completion: BrowsedCompletion) -> dict[str, str]:
    """Return what the filters compare of one completion."""
    return {
        "verdict": one_line(completion.verdict or NOT_RUN),
        "kind": one_line(completion.kind or (UNBEGUN if completion.stop_reason in NOT_BEGUN else SOUND)),
        "decoding": completion.decoding,
        "column": str(completion.column),
    }


def name_of(problem: BrowsedProblem) -> str:
    """Return what the filter of problems calls one: two sets may have problems of one name."""
    return one_line(f"{problem.problems}/{problem.task_id}")


def anchor_of(problem: BrowsedProblem, completion: BrowsedCompletion | None = None, several: bool = False) -> str:
    """Return the name by which a problem, or one completion of it, is linked to."""
    anchor = quote(name_of(problem), safe="/")
    return anchor if completion is None else f"{anchor}/{_suffix(completion, several)}"


def kind_words(kind: str) -> str:
    """Return what a kind of degeneration is called."""
    return KIND_LABELS.get(kind, one_line(kind))


def written_html(completion: BrowsedCompletion) -> Markup:
    """Return what the model wrote with its loop marked, and the ends of blank lines, which would else be unseen."""
    begin, end = completion.loop or (len(completion.text), len(completion.text))
    before, loop, after = completion.text[:begin], completion.text[begin:end], completion.text[end:]
    marked = Markup("<mark>{}</mark>").format(_with_line_ends(loop)) if loop else Markup()
    return _with_line_ends(before) + marked + _with_line_ends(after)


def token_data(tokens: Sequence[Token]) -> str:
    """Return the tokens for the page's script: ``length,ids,hundredths of a nat`` and how often, if several times.

    A length counts UTF-16 units of what is shown, as scripts do. Ids are joined by ``+``.
    """
    entries = itertools.groupby(map(_token_entry, tokens))
    counted = ((entry, sum(1 for _ in same)) for entry, same in entries)
    return " ".join(f"{entry},{count}" if count > 1 else entry for entry, count in counted)


def loop_data(completion: BrowsedCompletion) -> str:
    """Return where the loop begins and ends, in UTF-16 units of what is shown; empty without one."""
    if completion.loop is None:
        return ""
    return ",".join(str(_units(completion.text[:at])) for at in completion.loop)


def _filters(problems: Sequence[BrowsedProblem], browser: CompletionBrowser) -> Iterator[Filter]:
    completions = [completion for problem in problems for completion in problem.completions]
    yield Filter(
        "problem", "Problem", tuple(Choice(name_of(p), one_line(p.task_id), len(p.completions)) for p in problems)
    )
    words = {
        "column": {str(i): one_line(name) for i, name in enumerate(browser.columns)},
        "verdict": {},
        "kind": {**KIND_LABELS, SOUND: "not degenerate", UNBEGUN: "not begun"},
        "decoding": {},
    }
    labels = {"column": "Checkpoint", "verdict": "Verdict", "kind": "Degeneration", "decoding": "Decoding"}
    values = [attributes(completion) for completion in completions]
    for name, of_values in words.items():
        counts: dict[str, int] = {}
        for value in values:
            counts[value[name]] = counts.get(value[name], 0) + 1
        if len(counts) > 1:
            ordered = counts.items() if name == "column" else sorted(counts.items(), key=lambda item: -item[1])
            choices = (Choice(value, of_values.get(value, value.replace("_", " ")), n) for value, n in ordered)
            yield Filter(name, labels[name], tuple(choices))


def _suffix(completion: BrowsedCompletion, several: bool) -> str:
    column = f"/{completion.column}" if several else ""
    return f"{completion.decoding}/{completion.completion_id}{column}"


def _with_line_ends(text: str) -> Markup:
    """The text as it is shown, with an empty element before the end of a blank line, which the style gives a sign."""
    pieces = _BLANK_LINE.split(visible(text))
    return Markup("<i></i>\n").join(Markup("{}").format(piece) for piece in pieces)


def _token_entry(token: Token) -> str:
    nats = "" if token.entropy_nats is None else f"{100 * token.entropy_nats:.0f}"
    return f"{_units(token.text)},{'+'.join(map(str, token.ids))},{nats}"


def _units(text: str) -> int:
    shown = visible(text)
    return len(shown) if shown.isascii() else len(shown.encode("utf-16-le")) // 2


@functools.cache
def _macros() -> TemplateModule:
    given = (anchor_of, attributes, kind_words, loop_data, name_of, one_line, token_data, visible, written_html)
    return environment().get_template("completions.html").make_module({f.__name__: f for f in given})


def _rendered(macro: str, **values: object) -> Markup:
    return Markup(getattr(_macros(), macro)(**values))  # noqa: S704 - the template has escaped it
