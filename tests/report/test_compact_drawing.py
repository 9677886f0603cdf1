"""A drawing is compacted: fewer bytes, and nothing of it stands elsewhere by more than a hundredth of a point."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET

import pytest
from matplotlib.figure import Figure

from evalharness.report.figures.compact import compact

HREF = "{http://www.w3.org/1999/xlink}href"
PLACES = {"d", "x", "y", "transform"}
NAMES = {"id", HREF}
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def form(attribute: str) -> str:
    """What is left without its numbers and the spaces between them."""
    return "".join(NUMBER.sub("", attribute).split())


def numbers(attribute: str) -> list[float]:
    return [float(number) for number in NUMBER.findall(attribute)]


@pytest.fixture
def drawing() -> bytes:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0.1, 1 / 3, 2e-7, 123.456789], [-0.004, 2 / 3, 1e-6, 7.0], label="a line", marker="o")
    axes.bar([1, 2], [0.3, -0.7], hatch="x")
    axes.set_title("  two  spaces\nand a line break", rotation=33.333, fontsize=11.5)
    axes.legend()
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    return file.getvalue()


def test_every_place_is_kept_to_a_hundredth_and_all_else_is_the_same(drawing: bytes):
    pairs = list(zip(*(ET.fromstring(svg).iter() for svg in (drawing, compact(drawing))), strict=True))
    assert len(pairs) > 100
    for before, after in pairs:
        assert (before.tag, (before.text or "").strip()) == (after.tag, (after.text or "").strip())
        assert before.attrib.keys() - NAMES == after.attrib.keys() - NAMES
        for name in before.attrib.keys() - NAMES:
            one, other = before.attrib[name], after.attrib[name]
            if name in PLACES:
                assert form(one) == form(other)
                assert numbers(other) == pytest.approx(numbers(one), abs=0.0051)
            else:
                assert one == other


def test_all_that_is_referred_to_is_there_once(drawing: bytes):
    elements = list(ET.fromstring(compact(drawing)).iter())
    names = [element.attrib["id"] for element in elements if "id" in element.attrib]
    named = {element.attrib[HREF] for element in elements if HREF in element.attrib}
    clips = {f"#{name}" for name in re.findall(r"url\(#([^)]*)\)", compact(drawing).decode())}
    assert len(names) == len(set(names))
    assert len(named) > 10
    assert clips
    assert named | clips <= {f"#{name}" for name in names}


def test_scales_keep_their_digits(drawing: bytes):
    scales = re.compile(rb"scale\([^)]*\)|rotate\([^)]*\)")
    assert scales.findall(drawing) == scales.findall(compact(drawing))
    assert any(re.search(rb"\.\d{3}", scale) for scale in scales.findall(drawing))


def test_it_is_a_tenth_smaller_at_least(drawing: bytes):
    assert len(compact(drawing)) < 0.9 * len(drawing)
