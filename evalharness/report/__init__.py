"""From a scorecard to what people read: the card on the terminal, the report in Markdown, and its figures."""

from evalharness.report.card import Card, card_lines, render_card
from evalharness.report.checkpoint_report import render
from evalharness.report.comparison_report import comparison_record, render_comparison
from evalharness.report.evidence import Evidence, Read, Scored
from evalharness.report.figures import run_figures
from evalharness.report.figures.checkpoint_figures import figures_of
from evalharness.report.figures.passage_plot import passage_figure
from evalharness.report.figures.plots import (
    entropy_at_onset_figure,
    entropy_figure,
    loss_by_class_figure,
    losses_figure,
    onsets_figure,
    pass_at_1_figure,
)
from evalharness.report.figures.run_figures import (
    entropy_by_step_figure,
    figures_of_run,
    kinds_by_step_figure,
    loss_against_behaviour_figure,
    loss_and_behaviour_figure,
)
from evalharness.report.numbers import checkpoint_name, step_line
from evalharness.report.run_evidence import OtherRun, Run, shown_from
from evalharness.report.sections.diagnosis_tables import diagnosis_lines, loss_lines
from evalharness.report.shown_completions import Block, Shown, examples
from evalharness.report.training_run_report import render_run

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
    "run_figures",
    "shown_from",
    "step_line",
]
