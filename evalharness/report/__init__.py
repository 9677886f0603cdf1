"""From a scorecard to what people read: the card on the terminal, the report in Markdown, and its figures."""

from evalharness.report.card import Card, card_lines, render_card
from evalharness.report.evidence import Evidence, Scored
from evalharness.report.figures import (
    entropy_at_onset_figure,
    entropy_figure,
    losses_figure,
    onsets_figure,
    pass_at_1_figure,
)
from evalharness.report.markdown import render
from evalharness.report.score_figures import figures_of

__all__ = [
    "Card",
    "Evidence",
    "Scored",
    "card_lines",
    "entropy_at_onset_figure",
    "entropy_figure",
    "figures_of",
    "losses_figure",
    "onsets_figure",
    "pass_at_1_figure",
    "render",
    "render_card",
]
