"""Figures as files of three formats, in axes of the user's own, and with axes that show the curve."""

from __future__ import annotations

import pytest
import run_example as example
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from evalharness.records import LossPoint
from evalharness.report import Read, losses_figure, passage_figure, run_figures
from evalharness.report.figures.passage_plot import colour
from evalharness.report.figures.plots import loss_axis
from evalharness.runs.json_values import plain

STEPS = {10: example.unseen(10), 20: example.unseen(20)}
BEGINNINGS = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


def frames(*losses: float):
    logged = [plain(LossPoint(10 * i, "validation", loss, "log")) for i, loss in enumerate(losses, 1)]
    return example.frames(STEPS, [example.completion(step, "newline") for step in STEPS], logged)


@pytest.mark.parametrize("file_format", BEGINNINGS)
def test_every_figure_of_a_run_is_a_file_of_the_format_that_is_asked_for(file_format):
    made = run_figures.figures_of_run(frames(3.0, 2.0), file_format)
    assert {path.rpartition(".")[2] for path in made} == {file_format}
    assert all(content.startswith(BEGINNINGS[file_format]) for content in made.values())
    assert made == run_figures.figures_of_run(frames(3.0, 2.0), file_format), "the same bytes"


def test_a_figure_is_drawn_into_axes_of_the_users_own_and_makes_no_file():
    axes = Figure().subplots()
    points = [LossPoint(step, "validation", 2.0, "log") for step in (1, 2)]
    assert losses_figure(points, step=None, recomputed=None, honest=None, ax=axes) == b""
    assert axes.get_lines()
    assert axes.get_xlabel()


def test_a_figure_of_two_panels_takes_two_axes():
    figure = Figure()
    two = figure.subplots(2, 1)
    run_figures.loss_and_behaviour_figure(frames(3.0, 2.0), ax=two)
    assert all(axes.get_lines() for axes in two)
    with pytest.raises(ValueError, match="ax"):
        run_figures.loss_and_behaviour_figure(frames(3.0, 2.0), ax=two[0])


PASSAGE = [
    Read("f(x):\n", None, None),
    Read("return", 0.1, 5.0),
    Read("\n\u4e2d", 0.0, 0.2),
]


@pytest.mark.parametrize("file_format", ["png", "pdf"])
def test_a_passage_is_a_file_of_the_format_that_is_asked_for(file_format):
    made = passage_figure(PASSAGE, file_format)
    assert made.startswith(BEGINNINGS[file_format])
    assert made == passage_figure(PASSAGE, file_format), "the same bytes"


def test_a_passage_is_drawn_into_two_axes_with_the_colour_of_each_loss():
    two = Figure().subplots(2, 1)
    assert passage_figure(PASSAGE, ax=two) == b""
    for axes, loss in zip(two, (0.1, 5.0), strict=True):
        assert "".join(text.get_text() for text in axes.texts) == "f(x):¶return¶·"
        assert to_hex(axes.patches[0].get_facecolor()) == colour(loss)


@pytest.mark.parametrize(
    ("values", "scale", "begins_at_0"),
    [
        ((18.0, 1e-6), "log", False),
        ((25.0, 2.0), "log", False),
        ((3.0, 1.0), "linear", True),
        ((0.66, 0.64), "linear", False),
        ((2.0, 2.0), "linear", False),
        ((5.0, 0.0), "linear", True),
        ((), "linear", True),
        ((float("nan"), 4.0, 1.0), "linear", True),
    ],
)
def test_the_axis_of_losses_shows_the_curve(values, scale, begins_at_0):
    axes = Figure().subplots()
    axes.plot(range(len(values)), values)
    loss_axis(axes, values)
    assert axes.get_yscale() == scale
    if values:
        assert bool(axes.get_ylim()[0] == 0) is begins_at_0
        assert all(axes.get_ylim()[0] <= value <= axes.get_ylim()[1] for value in values if value == value)
