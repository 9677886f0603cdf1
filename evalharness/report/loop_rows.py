"""The rows of a completion with its loop marked, the same on a page and in a terminal.

Every row begins with a margin of a fixed width that the completion's own text can't reach, so nothing that a model
writes can pass for a mark::

           │    return a⏎
           ├── the loop begins: token 5, character 13
    copy 1 │    return b⏎
    copy 2 │    return b⏎
    copy 3 │    return b⏎
           ├── … 12 more copies
    cut    │    ret
           └── still looping when generation stopped: 15 copies, 63 tokens, 203 characters
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.parts import Passage, PassageRow
from evalharness.report.printable import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.degeneration import Degeneration, Loop

COPIES_SHOWN = 3
LINES_OF_A_COPY = 6
LINES_BEFORE = (3, 5)
LINES_AFTER = 5
"""Lines shown of each copy, of the beginning and the end of the text before the loop, and of the text after it."""
MAX_ROW = 100
LINE_END, BLANK = "⏎", "·"


def marked_loop(text: str, loop: Loop, analysis: Degeneration) -> Passage:
    """Return ``text`` row by row with ``loop`` marked, which ``analysis`` found in it.

    A sign at the end of a row marks a line end; a row without it continues on the next.
    """
    return Passage(tuple(_rows(text, loop, analysis)))


def copies_of(loop: Loop, region: str) -> list[str]:
    """Split ``region``, the loop's own text, into its copies; the last one may be cut short.

    A near loop's copies are its lines. Those of a loop with interruptions begin where a clean copy does.
    """
    if loop.kind == "near":
        return _written_lines(region)
    copy = loop.text
    if not copy or not region:
        return [region] if region else []
    if (copy * (len(region) // len(copy) + 1)).startswith(region):
        return [region[at : at + len(copy)] for at in range(0, len(region), len(copy))]
    starts = [0]
    at = region.find(copy)
    while at >= 0:
        starts += [at] if at else []
        at = region.find(copy, at + len(copy))
    return [region[start:end] for start, end in zip(starts, [*starts[1:], len(region)], strict=True)]


def in_row(line: str, *, keep_end: bool = False) -> str:
    """Return one line, with its end or without, as a row that shows all of it; a long line is cut."""
    body = line.removesuffix("\n")
    written = body.rstrip(" \t")
    shown = written + body[len(written) :].replace(" ", BLANK).replace("\t", "\\t")
    cut = f"…{shown[-MAX_ROW + 1 :]}" if keep_end and len(shown) > MAX_ROW else shortened(shown, MAX_ROW)
    return cut + (LINE_END if line.endswith("\n") else "")


def marked(text: str) -> str:
    """Return ``text`` on one line with its whitespace as signs."""
    return text.replace("\n", LINE_END).replace("\t", "\\t").replace(" ", BLANK)


def _rows(text: str, loop: Loop, analysis: Degeneration) -> Iterator[PassageRow]:
    # What follows a loop that ran to the end can only be blank, and belongs to its last copy.
    end = len(text) if loop.ran_to_end else loop.end_character
    before, region, after = text[: loop.start_character], text[loop.start_character : end], text[end:]
    yield from _lines(before, *LINES_BEFORE)
    yield _mark(f"the loop begins: {_onset(loop, analysis)}")
    yield from _copies(loop, region)
    yield _mark(_ending(loop, analysis), "├" if after else "└")
    yield from _lines(after, LINES_AFTER)


def _copies(loop: Loop, region: str) -> Iterator[PassageRow]:
    """The first copies, how many more there are, and a last one that is cut short; of a near loop the last one, too."""
    copies = copies_of(loop, region)
    exact = loop.agreement == 1.0 and loop.kind != "near"
    torn = copies.pop() if exact and len(copies) > 1 and len(copies[-1]) < len(copies[0]) else ""
    last = copies.pop() if loop.kind == "near" and len(copies) > COPIES_SHOWN + 1 else ""
    for number, copy in enumerate(copies[:COPIES_SHOWN], start=1):
        yield from _lines(copy, LINES_OF_A_COPY, label=f"copy {number}")
    if more := len(copies) - COPIES_SHOWN if len(copies) > COPIES_SHOWN else 0:
        yield _mark(f"… {more:,} more {'copy' if more == 1 else 'copies'}{'' if exact else ', not all identical'}")
    yield from _lines(torn, LINES_OF_A_COPY, label="cut")
    yield from _lines(last, LINES_OF_A_COPY, label="last")
    if not region:
        yield _mark("its tokens have no text")


def _lines(text: str, first: int, last: int = 0, label: str = "") -> Iterator[PassageRow]:
    """The rows of the first and the last lines of ``text``, and how many lines lie between them."""
    lines = _split(text)
    left_out = len(lines) - first - last
    for i, line in enumerate(lines):
        if left_out <= 1 or i < first or i >= len(lines) - last:
            row = in_row(line, keep_end=last > 0 and i == len(lines) - 1)
            yield PassageRow(label if i == 0 else "", "│", row)
        elif i == first:
            yield _mark(f"… {left_out:,} more lines")


def _mark(note: str, sign: str = "├") -> PassageRow:
    return PassageRow("", f"{sign}── ", note)


def _onset(loop: Loop, analysis: Degeneration) -> str:
    if loop.unit == "token":
        return f"token {loop.onset:,}, character {loop.start_character:,}"
    first, end = analysis.loop_tokens or (0, 0)
    return f"character {loop.start_character:,}{f', about token {first:,}' if end > first else ''}"


def _ending(loop: Loop, analysis: Degeneration) -> str:
    first, end = analysis.loop_tokens or (0, 0)
    if analysis.ran_to_limit:
        how = "still looping when generation stopped"
    else:
        how = "the model ended the completion here" if loop.ran_to_end else "the loop ends"
    tokens = f", {'' if loop.unit == 'token' else 'about '}{end - first:,} tokens" if end > first else ""
    return f"{how}: {loop.copies:,} copies{tokens}, {loop.end_character - loop.start_character:,} characters"


def _split(text: str) -> list[str]:
    """The lines of ``text`` with their ends; other line ends than newlines are shown as signs."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _written_lines(region: str) -> list[str]:
    """The lines of ``region``, blank ones with the line before them."""
    lines: list[str] = []
    for line in _split(region):
        if line.strip() or not lines:
            lines.append(line)
        else:
            lines[-1] += line
    return lines
