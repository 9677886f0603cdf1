"""Reads the examples of a scored checkpoint. Old files hold Markdown, which is turned back into what it showed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from evalharness.report.parts import Code, PassageRow, plain_text
from evalharness.report.shares import KINDS
from evalharness.report.shown_completions import Example, Excerpt
from evalharness.runs import paths
from evalharness.runs.record_rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evalharness.report.shown_completions import Fact

_SPAN = re.compile(
    r"(?P<ticks>`+)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)|\\(?P<escaped>[!-/:-@[-`{-~])|(?P<char>.)", re.DOTALL
)
_NAME = re.compile(r", (?P<decoding>greedy|sampled)(?: (?P<number>\d+))?: ?(?P<reasons>.*)", re.DOTALL)


def read_examples(folder: Path) -> tuple[Example, ...]:
    """The examples of a scored checkpoint; empty if there are none. Raises :class:`StoreError` for a broken row."""
    return tuple(read_rows(folder / paths.EXAMPLES, example_from))


def example_from(row: Mapping[str, Any]) -> Example:
    """Read a row of them. Raises KeyError, TypeError or ValueError if it is none."""
    if "heading" in row:
        return _old_example(row)
    facts = tuple(fact if isinstance(fact, str) else Code(str(fact["text"])) for fact in row["facts"])
    texts = {name: _excerpt(row[name]) for name in ("prompt", "expected", "generated")}
    return Example(**{**row, **texts, "facts": facts})


def _excerpt(row: Mapping[str, Any]) -> Excerpt:
    return Excerpt(**{**row, "rows": tuple(PassageRow(**part) for part in row["rows"])})


def _old_example(row: Mapping[str, Any]) -> Example:
    task_id, *others = text_of(row["heading"])
    name = _NAME.fullmatch(plain_text(tuple(others)))
    if name is None:
        raise ValueError("no heading of a completion")
    why, _, kind = name["reasons"].rpartition(", ")
    degenerate = kind in KINDS
    return Example(
        task_id=plain_text(task_id),
        decoding=name["decoding"],
        completion_id=int(name["number"] or 0),
        why=why if degenerate else name["reasons"],
        kind=kind if degenerate else None,
        prompt=_old_excerpt(row["prompt"]),
        expected=_old_excerpt(row["expected"]),
        generated=_old_excerpt(row["generated"]),
        tokens=_unfenced(row["tokens"])[1],
        facts=text_of(row["facts"]),
    )


def text_of(markdown: str) -> tuple[Fact, ...]:
    """Return what a line of Markdown shows, if it has no other markup than code and escaped signs."""
    spans: list[Fact] = []
    for span in _spans(markdown):
        if spans and isinstance(span, str) and isinstance(spans[-1], str):
            spans[-1] += span
        else:
            spans.append(span)
    return tuple(spans)


def _spans(markdown: str) -> Iterator[Fact]:
    for match in _SPAN.finditer(markdown):
        code = match["code"]
        if code is None:
            yield match["escaped"] or match["char"]
        else:
            padded = code.startswith(" ") and code.endswith(" ") and code.strip()
            yield Code(code[1:-1] if padded else code)


def _old_excerpt(block: Mapping[str, str]) -> Excerpt:
    language, text = _unfenced(block["fenced"])
    return Excerpt(text, language, plain_text(text_of(block["note"].removeprefix("*").removesuffix("*"))))


def _unfenced(block: str) -> tuple[str, str]:
    """The language and the content of a fenced block."""
    first, *lines = block.split("\n")
    return first.lstrip("`"), "\n".join(lines[:-1])
