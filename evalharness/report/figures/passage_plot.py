"""A passage of data coloured by the loss of its tokens, with and without future tokens.

The SVG of a page is written by hand and not by matplotlib: text in a grid takes a twentieth of the size of paths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

from evalharness.report.figures.canvas import INK, canvas, drawable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matplotlib.axes import Axes

    from evalharness.report.evidence import Read
    from evalharness.report.figures.canvas import FigureFormat

COLUMNS = 58
"""Characters of a line; what is longer is wrapped."""
CELL_W, CELL_H = 7.0, 17.0
MARGIN, HEAD = 14.0, 62.0
FULL_NATS = 6.0
"""From this loss on a token has the deepest colour: 1 in 400, about what a character is worth to one who guesses."""
_DEEP = (213, 94, 0)
_LINE_IN, _TITLE_IN, _FONT_PT = 0.19, 0.55, 10.5
"""Sizes of the drawing by matplotlib, for a figure that is ``WIDTH_IN`` wide."""
_UNPRINTABLE = "·"
_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"


class _Cell(NamedTuple):
    """A token, or its part on one line; the column is in characters."""

    line: int
    column: int
    text: str
    loss_nats: float | None


def passage_figure(
    passage: Sequence[Read], file_format: FigureFormat = "svg", ax: Sequence[Axes] | None = None
) -> bytes:
    """Draw ``passage`` twice: coloured by the recomputed loss and by the honest one (nats per token).

    ``ax``: two axes of your own to draw in; then the bytes are empty. The two stand side by side in an SVG, else above
    each other.
    """
    readings = (
        ("As in training: the whole row is in the input", [read.parallel_nats for read in passage]),
        ("As in generation: only earlier tokens", [read.honest_nats for read in passage]),
    )
    if file_format == "svg" and ax is None:
        return _svg(passage, readings)
    cells = [list(_cells(passage, losses)) for _, losses in readings]
    lines = max((cell.line for cell in cells[0]), default=0) + 1
    with canvas(2 * (lines * _LINE_IN + _TITLE_IN), file_format, ax) as drawn:
        for axes, (title, losses), of_reading in zip(drawn.panels(2), readings, cells, strict=True):
            axes.set_title(f"{title}\n{_mean(losses)}; white: 0, deepest: {FULL_NATS:g} or more", fontsize=_FONT_PT)
            _draw(axes, of_reading, lines)
    return drawn.file


def _draw(axes: Axes, cells: Iterable[_Cell], lines: int) -> None:
    """Cells of 1 by 1, the first line on top."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - see canvas

    axes.set(xlim=(0, COLUMNS), ylim=(lines, 0))
    axes.set_axis_off()
    for cell in cells:
        if cell.text and cell.loss_nats is not None:
            axes.add_patch(
                Rectangle((cell.column, cell.line), len(cell.text), 0.94, color=colour(cell.loss_nats), lw=0)
            )
        for i, char in enumerate(cell.text):
            shown = char if drawable(char) == char else _UNPRINTABLE
            place = (cell.column + i + 0.5, cell.line + 0.72)
            axes.text(*place, shown, ha="center", fontfamily="DejaVu Sans Mono", fontsize=_FONT_PT)


def _svg(passage: Sequence[Read], readings: Sequence[tuple[str, Sequence[float | None]]]) -> bytes:
    width = COLUMNS * CELL_W
    parts: list[str] = []
    lines = 1
    for i, (_, losses) in enumerate(readings):
        for cell in _cells(passage, losses):
            parts += _cell(MARGIN + i * (MARGIN + width), cell)
            lines = max(lines, cell.line + 1)
    height = HEAD + lines * CELL_H + 2.4 * CELL_H
    size = f"{3 * MARGIN + 2 * width:.0f} {height:.0f}"
    every = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img">',
        "<title>One row of data, coloured by the loss of each token, with and without future tokens</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *(_head(MARGIN + i * (MARGIN + width), title, losses) for i, (title, losses) in enumerate(readings)),
        f'<g font-family="{_FONT}" font-size="11.5" fill="{INK}">',
        *parts,
        "</g>",
        *_scale(height - 1.6 * CELL_H),
        "</svg>",
    ]
    return "\n".join(every).encode()


def _head(x: float, title: str, losses: Iterable[float | None]) -> str:
    return (
        f'<g font-family="DejaVu Sans,Verdana,sans-serif" fill="{INK}">'
        f'<text x="{x}" y="24" font-size="13" font-weight="bold">{escape(title)}</text>'
        f'<text x="{x}" y="43" font-size="11.5">{_mean(losses)}</text></g>'
    )


def _mean(losses: Iterable[float | None]) -> str:
    known = [loss for loss in losses if loss is not None]
    return f"{sum(known) / len(known):.3f} nats per token in this passage" if known else ""


def _cells(passage: Sequence[Read], losses: Sequence[float | None]) -> Iterator[_Cell]:
    """Where each token stands."""
    line = column = 0
    for read, loss in zip(passage, losses, strict=True):
        for piece, ends in _pieces(read.text):
            for begin in range(0, max(1, len(piece)), COLUMNS):
                shown = piece[begin : begin + COLUMNS]
                if column + len(shown) > COLUMNS:
                    line, column = line + 1, 0
                yield _Cell(line, column, shown, loss)
                column += len(shown)
            if ends:
                yield _Cell(line, column, "¶", loss)
                line, column = line + 1, 0


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """``text`` by lines, each with whether a line end follows; tabs as four spaces, the unprintable as dots."""
    lines = text.replace("\t", "    ").split("\n")
    for i, part in enumerate(lines):
        ends = i < len(lines) - 1
        if part or ends:
            yield "".join(c if c.isprintable() else _UNPRINTABLE for c in part), ends


def _cell(x: float, cell: _Cell) -> Iterator[str]:
    line, column, text, loss = cell
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
