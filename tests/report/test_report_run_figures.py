"""The figures of a run: what they show is what the tables show, and everything in them can be told apart."""

import re
import warnings
import xml.etree.ElementTree as ET
from typing import get_args

import pytest
import run_example as example

from evalharness.degeneration import Kind
from evalharness.records import NO_STEP, LossPoint
from evalharness.report import run_figures
from evalharness.runs.json_values import plain

TWO = {10: example.unseen(10), 20: example.unseen(20)}


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def colours(svg: bytes) -> set[str]:
    return set(re.findall(r"#[0-9a-f]{6}", svg.decode()))


def test_every_kind_has_a_look_of_its_own():
    assert set(run_figures.KIND_STYLES) == set(get_args(Kind))
    assert len(set(run_figures.KIND_STYLES.values())) == len(run_figures.KIND_STYLES)


def test_the_colour_of_a_kind_does_not_depend_on_which_others_there_are():
    alone, beside = (
        run_figures.kinds_by_step_figure(example.frames(TWO, [example.completion(10, kind) for kind in kinds]))
        for kinds in (["whitespace"], ["newline", "whitespace", "gibberish"])
    )
    assert run_figures.SKY in colours(alone) & colours(beside)


def test_kinds_are_of_the_sampled_completions_where_there_are_any_and_else_of_the_greedy_ones():
    sampled, greedy = example.completion(10, "newline"), example.completion(10, "block", decoding="greedy")
    both = colours(run_figures.kinds_by_step_figure(example.frames(TWO, [sampled, greedy])))
    assert run_figures.BLUE in both
    assert run_figures.PINK not in both
    assert run_figures.PINK in colours(run_figures.kinds_by_step_figure(example.frames(TWO, [greedy])))


def test_a_run_without_anything_to_draw_is_drawn_without_a_warning():
    for held in (example.frames(TWO), example.frames({NO_STEP: example.unseen(None)})):
        for name in run_figures.__all__:
            if name != "figures_of_run":
                assert ET.fromstring(getattr(run_figures, name)(held)).tag.endswith("svg")


def test_without_losses_only_what_the_model_does_is_drawn():
    held = example.frames(TWO)
    logged = [plain(LossPoint(step, "validation", 1.0, "log")) for step in TWO]
    short, tall = (
        float(ET.fromstring(run_figures.loss_and_behaviour_figure(of)).attrib["height"].removesuffix("pt"))
        for of in (held, example.frames(TWO, losses=logged))
    )
    assert short < tall


def test_a_score_without_a_step_has_no_place_on_an_axis_of_steps():
    beside = {NO_STEP: example.unseen(None), **TWO}
    for name in ("loss_and_behaviour_figure", "kinds_by_step_figure"):
        draw = getattr(run_figures, name)
        rows = [example.completion(step, "line") for step in TWO]
        assert draw(example.frames(TWO, rows)) == draw(
            example.frames(beside, [*rows, example.completion(NO_STEP, "newline")])
        )
