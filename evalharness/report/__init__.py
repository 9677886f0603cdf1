"""From scorecards to what people read: the card, the reports as typed parts, their figures, and who writes them."""

from evalharness.report.card import Card, card_lines, checkpoint_name, render_card
from evalharness.report.checkpoint_report import checkpoint_document
from evalharness.report.comparison_report import comparison_document, comparison_record
from evalharness.report.diagnosis_lines import diagnosis_lines, loss_lines
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
from evalharness.report.run_evidence import OtherRun, Run
from evalharness.report.shown_completions import Example, examples
from evalharness.report.step_table import failed_row, step_heading, step_row
from evalharness.report.stored_examples import read_examples
from evalharness.report.training_run_report import run_document
from evalharness.report.versions_report import versions_document
from evalharness.report.view_report import pages_of_steps, view_document
from evalharness.report.writers.html import to_html, to_pages
from evalharness.report.writers.markdown import to_markdown
from evalharness.report.writers.terminal import to_terminal

__all__ = [
    "Card",
    "Evidence",
    "Example",
    "OtherRun",
    "Read",
    "Run",
    "Scored",
    "card_lines",
    "checkpoint_document",
    "checkpoint_name",
    "comparison_document",
    "comparison_record",
    "diagnosis_lines",
    "entropy_at_onset_figure",
    "entropy_by_step_figure",
    "entropy_figure",
    "examples",
    "failed_row",
    "figures_of",
    "figures_of_run",
    "kinds_by_step_figure",
    "loss_against_behaviour_figure",
    "loss_and_behaviour_figure",
    "loss_by_class_figure",
    "loss_lines",
    "losses_figure",
    "onsets_figure",
    "pages_of_steps",
    "pass_at_1_figure",
    "passage_figure",
    "read_examples",
    "render_card",
    "run_document",
    "run_figures",
    "step_heading",
    "step_row",
    "to_html",
    "to_markdown",
    "to_pages",
    "to_terminal",
    "versions_document",
    "view_document",
]
