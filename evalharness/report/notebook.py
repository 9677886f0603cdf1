"""What a notebook shows of a scorecard: the card, as HTML."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from evalharness.report.card import MAX_WIDTH, render_card

if TYPE_CHECKING:
    from evalharness.records import Scorecard

_FORM = '<pre style="font-family: monospace; line-height: 1.3; overflow-x: auto">{code}</pre>'


def scorecard_html(card: Scorecard) -> str:
    """The card with its colours, every text of it escaped; the path is that of the checkpoint."""
    from rich.console import Console  # noqa: PLC0415 - only a notebook needs it

    console = Console(record=True, file=StringIO(), width=MAX_WIDTH, highlight=False)
    console.print(render_card(card, card.checkpoint.path), soft_wrap=True)
    return console.export_html(inline_styles=True, code_format=_FORM)
