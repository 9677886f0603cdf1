import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest

from evalharness.records import Interval, LossPoint
from evalharness.report.figures.canvas import drawable
from evalharness.report.figures.plots import (
    entropy_at_onset_figure,
    entropy_figure,
    losses_figure,
    onsets_figure,
    pass_at_1_figure,
    quartiles_by_position,
)

NAN, INF = float("nan"), float("inf")
SHARE = Interval(0.2, 0.1, 0.35)


def points(*losses: float) -> list[LossPoint]:
    return [LossPoint(100 * i, "train", loss, "log") for i, loss in enumerate(losses)]


def is_svg(data: bytes) -> bool:
    return ET.fromstring(data).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize(
    ("logged", "step", "recomputed", "honest"),
    [
        (points(2.0, 1.0), 100, Interval(1.0, 0.9, 1.1), Interval(1.0, 0.9, 1.1)),
        (points(5.0, 0.01), 100, Interval(0.01, 0.009, 0.011), Interval(4.0, 3.9, 4.1)),
        (points(5.0, 0.01), None, Interval(0.01, 0.009, 0.011), Interval(4.0, 3.9, 4.1)),
        (points(NAN, INF, 1.0), 100, None, Interval(1.0, -INF, INF)),
        (points(0.0, -1.0), None, None, None),
        (points(), 100, None, Interval(NAN, NAN, NAN)),
        (points(*[1.0 + i / 100 for i in range(100)]), None, Interval(1.0, -INF, INF), None),
    ],
)
def test_losses_of_all_sorts_are_drawn(logged, step, recomputed, honest):
    first, second = (losses_figure(logged, step=step, recomputed=recomputed, honest=honest) for _ in range(2))
    assert is_svg(first)
    assert first == second


def test_problem_sets_with_any_name_are_drawn():
    rows = [("$warm_up$", "greedy", SHARE), ("问题\x00\ud800", "sampled", Interval(1.0, 1.0, 1.0)), ("", "beam", SHARE)]
    assert is_svg(pass_at_1_figure(rows))
    assert drawable("a问") == "a\\u95ee"


def test_entropies_of_all_lengths_are_drawn():
    assert is_svg(entropy_figure([[0.1] * 3, [0.2]], [[], [1.0, 2.0]]))
    assert is_svg(entropy_figure([], []))


def test_entropies_around_onsets_of_all_sorts_are_drawn():
    ordinary = [([2.0, 1.0, 0.1, 0.0], 2)] * 5
    early = [([0.0] * 3, 0)] * 5
    long = [([1.0] * 200 + [0.1] * 200, 200)] * 6
    for completions in (ordinary, early, long, [*ordinary, *early, *long], ordinary[:1], []):
        assert is_svg(entropy_at_onset_figure(completions))
    assert entropy_at_onset_figure(long) == entropy_at_onset_figure(long)


def test_a_side_of_the_onset_that_few_completions_have_is_left_out():
    one_before = [([2.0, 0.1], 1), *[([0.1], 0)] * 4]
    assert b"0072b2" not in entropy_at_onset_figure(one_before)
    assert b"0072b2" in entropy_at_onset_figure([([2.0, 0.1], 1)] * 5)


def test_onsets_of_any_kind_are_drawn():
    assert is_svg(onsets_figure({"newline": [0, 0, 5], "unheard of": [1]}, 6))
    assert is_svg(onsets_figure({"token": [0]}, 0))


def test_a_position_counts_the_completions_that_reach_it_and_ends_where_fewer_than_five_do():
    completions = [[float(i)] * length for i, length in enumerate((1, 3, 3, 3, 3, 9))]
    low, median, high = quartiles_by_position(completions)
    assert len(median) == 3
    assert median.tolist() == [2.5, 3.0, 3.0]
    assert np.all(low <= median)
    assert np.all(median <= high)
    assert len(quartiles_by_position([[1.0] * 4, [1.0] * 2])[0]) == 2


def test_drawing_leaves_the_settings_of_matplotlib_alone():
    before = dict(mpl.rcParams)
    pass_at_1_figure([("warmup", "greedy", SHARE)])
    assert dict(mpl.rcParams) == before


def test_the_stage_imports_neither_torch_nor_pyplot_and_the_card_no_matplotlib():
    program = (
        "import sys; from evalharness.report import pass_at_1_figure; assert 'matplotlib' not in sys.modules\n"
        "from evalharness.records import Interval; pass_at_1_figure([('a', 'greedy', Interval(0.1, 0.0, 0.2))])\n"
        "assert not {'torch', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
