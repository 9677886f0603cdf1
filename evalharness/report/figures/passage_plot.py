"""A passage of data coloured by the loss of its tokens, with and without future tokens, as an SVG for any page.

Written by hand and not by matplotlib: text in a grid takes a twentieth of the size of paths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from evalharness.report.figures.canvas import INK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalharness.report.evidence import Read

COLUMNS = 58
"""Characters of a line; what is longer is wrapped."""
CELL_W, CELL_H = 7.0, 17.0
MARGIN, HEAD = 14.0, 62.0
FULL_NATS = 6.0
"""From this loss on a token has the deepest colour: 1 in 400, about what a character is worth to one who guesses."""
_DEEP = (213, 94, 0)
_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"


def passage_figure(passage: Sequence[Read]) -> bytes:
    """Draw ``passage`` twice, side by side: coloured by the recomputed loss and by the honest one (nats per token)."""
    width = COLUMNS * CELL_W
    left, lines = _drawn(passage, MARGIN, [read.parallel_nats for read in passage])
    right, _ = _drawn(passage, 2 * MARGIN + width, [read.honest_nats for read in passage])
    height = HEAD + lines * CELL_H + 2.4 * CELL_H
    size = f"{3 * MARGIN + 2 * width:.0f} {height:.0f}"
    heads = (
        _head(MARGIN, "As in training: the whole row is in the input", [r.parallel_nats for r in passage]),
        _head(2 * MARGIN + width, "As in generation: only earlier tokens", [r.honest_nats for r in passage]),
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img">',
        "<title>One row of data, coloured by the loss of each token, with and without future tokens</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *heads,
        f'<g font-family="{_FONT}" font-size="11.5" fill="{INK}">',
        *left,
        *right,
        "</g>",
        *_scale(height - 1.6 * CELL_H),
        "</svg>",
    ]
    return "\n".join(parts).encode()


def _head(x: float, title: str, losses: Iterable[float | None]) -> str:
    known = [loss for loss in losses if loss is not None]
    mean = f"{sum(known) / len(known):.3f} nats per token in this passage" if known else ""
    return (
        f'<g font-family="DejaVu Sans,Verdana,sans-serif" fill="{INK}">'
        f'<text x="{x}" y="24" font-size="13" font-weight="bold">{escape(title)}</text>'
        f'<text x="{x}" y="43" font-size="11.5">{mean}</text></g>'
    )


def _drawn(passage: Sequence[Read], x: float, losses: Sequence[float | None]) -> tuple[list[str], int]:
    """The cells and characters of one reading, and how many lines they take."""
    parts: list[str] = []
    line = column = 0
    for read, loss in zip(passage, losses, strict=True):
        for piece, ends in _pieces(read.text):
            for begin in range(0, max(1, len(piece)), COLUMNS):
                shown = piece[begin : begin + COLUMNS]
                if column + len(shown) > COLUMNS:
                    line, column = line + 1, 0
                parts += _cell(x, line, column, shown, loss)
                column += len(shown)
            if ends:
                parts += _cell(x, line, column, "¶", loss)
                line, column = line + 1, 0
    return parts, line + 1


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """``text`` by lines, each with whether a line end follows; tabs as four spaces, the unprintable as dots."""
    lines = text.replace("\t", "    ").split("\n")
    for i, part in enumerate(lines):
        ends = i < len(lines) - 1
        if part or ends:
            yield "".join(c if c.isprintable() else "·" for c in part), ends


def _cell(x: float, line: int, column: int, text: str, loss: float | None) -> Iterator[str]:
    left, top = x + column * CELL_W, HEAD + line * CELL_H
    if text and loss is not None:
        yield (
            f'<rect x="{left:.0f}" y="{top:.0f}" width="{len(text) * CELL_W:.0f}" height="{CELL_H - 1:.0f}" '
            f'fill="{colour(loss)}"><title>{loss:.3f} nats</title></rect>'
        )
    if text.strip():
        faint = ' fill-opacity="0.35"' if text == "¶" else ""
        yield (
            f'<text x="{left:.0f}" y="{top + 12.5:.1f}" textLength="{len(text) * CELL_W:.0f}" '
            f'lengthAdjust="spacingAndGlyphs" xml:space="preserve"{faint}>{escape(text)}</text>'
        )


def colour(loss_nats: float) -> str:
    """White at 0 nats, the deepest colour from ``FULL_NATS`` on."""
    share = min(1.0, max(0.0, loss_nats / FULL_NATS))
    red, green, blue = (round(255 + share * (deep - 255)) for deep in _DEEP)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _scale(y: float) -> Iterator[str]:
    yield f'<g font-family="DejaVu Sans,Verdana,sans-serif" font-size="11" fill="{INK}">'
    for i, loss in enumerate((0.0, 1.0, 2.0, 4.0, FULL_NATS)):
        x = MARGIN + i * 62
        label = f"{loss:g}{'+' if loss == FULL_NATS else ''}"
        yield f'<rect x="{x}" y="{y:.0f}" width="26" height="13" fill="{colour(loss)}" stroke="#d8dee4"/>'
        yield f'<text x="{x + 31}" y="{y + 10.5:.1f}">{label}</text>'
    yield f'<text x="{MARGIN + 5 * 62}" y="{y + 10.5:.1f}">nats per token</text></g>'
