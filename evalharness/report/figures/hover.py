"""Values to point at: a title over each point and bar of a figure, which a browser shows without any script."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

POINTS = 60
"""Points of one line that get a title: more than these are closer together than a mouse can aim."""
RADIUS_PT = 4.0
_POINTS_PER_INCH = 72.0
_END = b"</svg>"


class _Spot(NamedTuple):
    """A place in points from the top left, with the words that stand there."""

    shape: str
    words: str


def with_hover(svg: bytes, figure: Figure) -> bytes:
    """Return the drawing of ``figure``, which was just made, with a title over each value in it."""
    spots = [spot for axes in figure.axes for spot in (*_points(axes, figure), *_bars(axes, figure))]
    if not spots:
        return svg
    marks = "".join(f"<{spot.shape}><title>{escape(spot.words)}</title></{spot.shape.split()[0]}>\n" for spot in spots)
    drawing, end, rest = svg.rpartition(_END)
    return drawing + f'<g class="hover" style="fill: #ffffff; opacity: 0">\n{marks}</g>\n'.encode() + end + rest


def _points(axes: Axes, figure: Figure) -> Iterator[_Spot]:
    """Those of each line that is drawn in the axes' own coordinates, evenly chosen of many."""
    for line in axes.lines:
        if line.get_transform() != axes.transData:
            continue
        values = np.asarray(line.get_xydata(), dtype=float).tolist()
        for x, y in values[:: max(1, math.ceil(len(values) / POINTS))]:
            if math.isfinite(x) and math.isfinite(y):
                across, down = _place(axes, figure, x, y)
                shape = f'circle cx="{across:.1f}" cy="{down:.1f}" r="{RADIUS_PT:g}"'
                yield _Spot(shape, _words(axes, line.get_label(), x, y))


def _bars(axes: Axes, figure: Figure) -> Iterator[_Spot]:
    """The bars that a legend names; others have their values written beside them."""
    for bars in axes.containers:
        label = str(bars.get_label())
        for bar in getattr(bars, "patches", ()) if not label.startswith("_") else ():
            (left, low), (right, high) = bar.get_bbox().get_points()
            (x, bottom), (end, top) = _place(axes, figure, left, low), _place(axes, figure, right, high)
            shape = f'rect x="{x:.1f}" y="{top:.1f}" width="{end - x:.1f}" height="{bottom - top:.1f}"'
            if high > low:
                yield _Spot(shape, _words(axes, label, (left + right) / 2, high - low))


def _place(axes: Axes, figure: Figure, x: float, y: float) -> tuple[float, float]:
    """A place in the axes' data as points from the figure's top left, as its SVG counts."""
    scale = _POINTS_PER_INCH / figure.dpi
    across, up = axes.transData.transform((x, y))
    return across * scale, figure.get_size_inches()[1] * _POINTS_PER_INCH - up * scale


def _words(axes: Axes, label: object, x: float, y: float) -> str:
    """What the legend calls it, if it does, and both values with what their axes say that they are."""
    names = [str(label)] if not str(label).startswith("_") else []
    below = next((a.get_xlabel() for a in (axes, *axes.get_shared_x_axes().get_siblings(axes)) if a.get_xlabel()), "")
    values = (_value(axes.xaxis, below, x), _value(axes.yaxis, axes.get_ylabel(), y))
    return "\n".join([*names, *filter(None, values)])


def _value(axis: Axis, label: str, value: float) -> str:
    """A value as its axis names it: by the tick that stands there, if ticks are words, else as a number."""
    from matplotlib.ticker import FixedLocator  # noqa: PLC0415 - as in the canvas

    name = label.partition(", with ")[0].partition(", 95 %")[0]
    if isinstance(axis.get_major_locator(), FixedLocator):
        ticks = zip(axis.get_ticklocs(), (tick.get_text() for tick in axis.get_ticklabels()), strict=False)
        words = next((text for place, text in ticks if abs(place - value) < 0.5), "")
        return f"{name} {words}".strip() if words else ""
    number = f"{value:,.0f}" if value == round(value) and abs(value) >= 1 else f"{value:.4g}"
    return f"{name}: {number}" if name else number
