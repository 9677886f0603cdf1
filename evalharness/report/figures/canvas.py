"""How every figure looks, and how it becomes the same bytes everywhere, or is drawn into axes of the user's own.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; the background is opaque, for a page may be
dark; text is drawn as paths of the font that comes with matplotlib, so no machine's fonts matter.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from evalharness.report.figures.compact import compact
from evalharness.report.figures.hover import with_hover

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, GREY, INK = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#8a8f98", "#24292f"
WIDTH_IN = 6.6
PNG_DPI = 200
COLUMNS = 2
"""Entries of a legend side by side."""
UNDER_LABELS = 4.0
"""How far under its axes a legend begins that stands below their label, in sizes of its text."""
FigureFormat = Literal["svg", "png", "pdf"]
NO_METADATA: dict[FigureFormat, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What would make two files of one figure differ."""
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
    """One figure in the making; :func:`canvas` gives it, and ``file`` holds its bytes once the block has ended.

    ``given`` are axes of the user's own that it is drawn into; then there are no bytes.
    """

    def __init__(self, figure: Figure, given: Sequence[Axes] = ()) -> None:
        self.figure = figure
        self.given = given
        self.file = b""

    def axes(self, title: str, x_label: str, y_label: str) -> Axes:
        """The figure's only axes, with what they show and in what units."""
        (axes,) = self.panels(1)
        axes.set_title(title)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        return axes

    def panels(self, count: int) -> list[Axes]:
        """Axes above each other over the same values. Raises ValueError if another number of axes was given."""
        if not self.given:
            return list(self.figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])
        if len(self.given) != count:
            raise ValueError(f"ax: {len(self.given)} axes; expected {count}: this figure has so many panels")
        return list(self.given)

    def legend_below(self, axes: Axes) -> None:
        """The legend of ``axes``, below the figure, or within the user's own axes; none if nothing has a label."""
        if not axes.get_legend_handles_labels()[0]:
            return
        if self.given:
            axes.legend()
        else:
            self.figure.legend(loc="outside lower center", ncols=2)

    def legend_under(self, axes: Axes) -> None:
        """The legend of ``axes`` alone, right under them, or within the user's own; none if nothing has a label.

        Not beside them: on a phone that would leave half of the width to the drawing.
        """
        if not axes.get_legend_handles_labels()[0]:
            return
        if self.given:
            axes.legend()
            return
        axes.legend(
            loc="upper left",
            ncols=COLUMNS,
            bbox_to_anchor=(0.0, 0.0),
            borderaxespad=UNDER_LABELS if axes.get_xlabel() else 1.0,
        )


@contextmanager
def canvas(
    height_in: float, file_format: FigureFormat = "svg", ax: Axes | Sequence[Axes] | None = None
) -> Iterator[Canvas]:
    """Yield a canvas under the project's own settings, whatever the user's are, and save it at the end.

    ``ax``: the user's own axes, one for each panel. They are drawn into under the user's settings, and not saved.

    Points and bars have their values as titles, which a browser shows where one points at them.
    """
    # matplotlib takes longer to import than all else that a report needs, and a card needs none of it.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib import style  # noqa: PLC0415
    from matplotlib.axes import Axes  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    if ax is not None:
        given = (ax,) if isinstance(ax, Axes) else tuple(ax)
        own = given[0].get_figure(root=True)
        if own is None:
            raise ValueError("ax: was removed from its figure; expected axes of a figure")
        yield Canvas(own, given)
        return
    with style.context("default"), mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained", facecolor="white")
        drawn = Canvas(figure)
        yield drawn
        file = io.BytesIO()
        figure.savefig(file, format=file_format, dpi=_dpi(file_format), metadata=NO_METADATA[file_format])
        drawn.file = with_hover(compact(file.getvalue()), figure) if file_format == "svg" else file.getvalue()


def _dpi(file_format: FigureFormat) -> float | Literal["figure"]:
    """Points become dots in a PNG alone; the others are drawings."""
    return PNG_DPI if file_format == "png" else "figure"


def drawable(text: str) -> str:
    """Return ``text`` with every character that the figures' font lacks as a Python escape."""
    from matplotlib.font_manager import findfont, get_font  # noqa: PLC0415

    font = get_font(findfont("DejaVu Sans"))
    return "".join(
        char if char.isprintable() and font.get_char_index(ord(char)) else char.encode("unicode_escape").decode()
        for char in text
    )
