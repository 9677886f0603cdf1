"""From a scorecard to what people read: the card on the terminal, the report in Markdown, and its figures."""

from evalharness.report.behaviour import Block, Shown, examples
from evalharness.report.card import Card, card_lines, render_card
from evalharness.report.comparison import comparison_record, render_comparison
from evalharness.report.diagnosis import diagnosis_lines, loss_lines
from evalharness.report.evidence import Evidence, Read, Scored
from evalharness.report.figures import (
    entropy_at_onset_figure,
    entropy_figure,
    loss_by_class_figure,
    losses_figure,
    onsets_figure,
    pass_at_1_figure,
)
from evalharness.report.markdown import render
from evalharness.report.passage import passage_figure
from evalharness.report.run import render_run
from evalharness.report.run_figures import (
    entropy_by_step_figure,
    figures_of_run,
    kinds_by_step_figure,
    loss_against_behaviour_figure,
    loss_and_behaviour_figure,
)
from evalharness.report.run_records import OtherRun, Run, shown_from
from evalharness.report.score_figures import figures_of
from evalharness.report.wording import checkpoint_name, step_line

__all__ = [
    "Block",
    "Card",
    "Evidence",
    "OtherRun",
    "Read",
    "Run",
    "Scored",
    "Shown",
    "card_lines",
    "checkpoint_name",
    "comparison_record",
    "diagnosis_lines",
    "entropy_at_onset_figure",
    "entropy_by_step_figure",
    "entropy_figure",
    "examples",
    "figures_of",
    "figures_of_run",
    "kinds_by_step_figure",
    "loss_against_behaviour_figure",
    "loss_and_behaviour_figure",
    "loss_by_class_figure",
    "loss_lines",
    "losses_figure",
    "onsets_figure",
    "pass_at_1_figure",
    "passage_figure",
    "render",
    "render_card",
    "render_comparison",
    "render_run",
    "shown_from",
    "step_line",
]
