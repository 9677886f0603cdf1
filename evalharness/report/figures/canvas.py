"""How every figure looks, and how it becomes the same bytes everywhere.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; the background is opaque, for a page may be
dark; text is drawn as paths of the font that comes with matplotlib, so no machine's fonts matter.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evalharness.report.figures.hover import with_hover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, GREY, INK = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#8a8f98", "#24292f"
WIDTH_IN = 7.6
_FAINT = "#d8dee4"
_SETTINGS: dict[str, Any] = {
    "svg.hashsalt": "evalharness",
    "svg.fonttype": "path",
    "font.family": ["DejaVu Sans"],
    "font.size": 10.0,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12.0,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "figure.constrained_layout.h_pad": 0.09,
    "figure.constrained_layout.w_pad": 0.14,
}


class Canvas:
    """One figure in the making; :func:`canvas` gives it, and ``svg`` holds its bytes once the block has ended."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.svg = b""

    def axes(self, title: str, x_label: str, y_label: str) -> Axes:
        """The figure's only axes, with what they show and in what units."""
        axes = self.figure.add_subplot()
        axes.set_title(title)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        return axes


@contextmanager
def canvas(height_in: float) -> Iterator[Canvas]:
    """Yield a canvas under the project's own settings, whatever the user's are, and save it at the end as SVG.

    Points and bars have their values as titles, which a browser shows where one points at them.
    """
    # matplotlib takes longer to import than all else that a report needs, and a card needs none of it.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib import style  # noqa: PLC0415
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with style.context("default"), mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained", facecolor="white")
        drawn = Canvas(figure)
        yield drawn
        file = io.BytesIO()
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Creator": None})
        drawn.svg = with_hover(file.getvalue(), figure)


def drawable(text: str) -> str:
    """Return ``text`` with every character that the figures' font lacks as a Python escape."""
    from matplotlib.font_manager import findfont, get_font  # noqa: PLC0415

    font = get_font(findfont("DejaVu Sans"))
    return "".join(
        char if char.isprintable() and font.get_char_index(ord(char)) else char.encode("unicode_escape").decode()
        for char in text
    )
