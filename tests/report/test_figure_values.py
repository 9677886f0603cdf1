"""The values of a figure are titles over its points and bars, where they stand in the drawing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
import run_example as example

from evalharness.records import Interval, LossPoint
from evalharness.report import losses_figure, pass_at_1_figure, run_figures
from evalharness.report.figures.hover import POINTS

SVG = "{http://www.w3.org/2000/svg}"


def titles(svg: bytes) -> dict[str, ET.Element]:
    """The marks by their titles."""
    (group,) = [g for g in ET.fromstring(svg).iter(f"{SVG}g") if g.get("class") == "hover"]
    return {mark.find(f"{SVG}title").text: mark for mark in group}


def logged(count: int) -> list[LossPoint]:
    return [LossPoint(step, "validation", 1.0 + step, "log") for step in range(count)]


def test_a_point_of_a_curve_has_its_legend_its_step_and_its_value():
    svg = losses_figure(logged(3), step=None, recomputed=None, honest=None)
    assert "logged, validation\ntraining step: 2\nloss (nats per token): 3" in titles(svg)


def test_a_mark_lies_on_its_point():
    svg = losses_figure(logged(2), step=None, recomputed=None, honest=None)
    marks = [(float(m.get("cx")), float(m.get("cy"))) for m in titles(svg).values()]
    drawn = re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*#0072b2', svg.decode())
    points = [(float(x), float(y)) for x, y in drawn[:2]]  # the third is the legend's
    assert len(marks) == 2
    for mark, point in zip(marks, points, strict=True):
        assert mark == pytest.approx(point, abs=0.11)


def test_a_long_curve_has_no_more_titles_than_a_mouse_can_point_at():
    svg = losses_figure(logged(10 * POINTS), step=None, recomputed=None, honest=None)
    assert POINTS / 2 < len(titles(svg)) <= POINTS


def test_a_row_of_pass_rates_is_named_by_its_problem_set():
    svg = pass_at_1_figure([("warm<up", "greedy", Interval(0.25, 0.1, 0.5))])
    assert titles(svg).keys() == {"pass@1 (%): 25\nwarm<up, greedy"}


def test_a_bar_has_its_kind_its_step_and_its_share():
    completions = [example.completion(10, kind) for kind in ("newline", "newline", None, None)]
    held = example.frames({step: example.unseen(step) for step in (10, 20)}, completions)
    assert "newline\ntraining step 10\nsampled completions (%): 50" in titles(run_figures.kinds_by_step_figure(held))
