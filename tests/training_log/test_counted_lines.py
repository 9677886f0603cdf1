"""Logs of loops of one's own, in which nothing is called a loss, or nothing a step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared_or_skip

from evalharness.errors import LogError
from evalharness.training_log import read_log, read_logs
from evalharness.training_log.counted_lines import FORM, recognises
from evalharness.training_log.line_figures import LineFigures, figures

FORMS = {
    "bars": "it 100 | nll 5.90 | val nll 5.92\nit 200 | nll 5.40 | val nll 5.52\n",
    "colons": "s:100 trl:5.90 lr:0.001\ns:100 tel:5.92\ns:200 trl:5.40\ns:200 tel:5.52\n",
    "no name": "100 train 5.90\n100 val 5.92\n200 train 5.40\n200 val 5.52\n",
    "brackets": "[100] train: 5.90, valid: 5.92\n[200] train: 5.40, valid: 5.52\n",
}


def read(folder, text):
    (folder / "out.log").write_text(text, encoding="utf-8")
    return {(p.step, p.split, p.loss_nats) for p in read_log(folder / "out.log")}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_a_counter_and_figures_with_a_name_are_read_whatever_stands_between_them(tmp_path, text):
    assert read(tmp_path, text) == {
        (100, "train", 5.9), (100, "validation", 5.92), (200, "train", 5.4), (200, "validation", 5.52),
    }  # fmt: skip
    log = read_logs([tmp_path / "out.log"])
    assert log.files[0].form == FORM
    assert [column.role for column in log.files[0].columns] == ["step", "train", "validation"]


@pytest.mark.parametrize(
    "text",
    [
        "epoch took 5.2 s\nval 3 files\n",
        "1 file\n1 val 0.5\n",
        "200 val 5.5\n100 val 5.9\n",
        "100 acc 0.5\n200 acc 0.6\n",
    ],
    ids=["no counter", "it stands still", "it falls", "no loss"],
)
def test_lines_with_numbers_are_no_log(tmp_path, text):
    (tmp_path / "out.log").write_text(text, encoding="utf-8")
    with pytest.raises(LogError):
        read_log(tmp_path / "out.log")


def test_a_number_that_may_be_cut_off_is_left_out(tmp_path):
    assert (300, "validation", 5.0) not in read(tmp_path, FORMS["no name"] + "300 val 5.0")


@given(st.lists(st.integers(0, 10**7), min_size=2, max_size=20, unique=True), st.sampled_from(["it", "s", "step", ""]))
def test_counters_that_grow_are_recognised_whatever_their_size(steps, name):
    assert recognises([f"{name} {step} nll 2.5" for step in sorted(steps)])


@pytest.mark.parametrize(("name", "count"), [("llmc_main.log", 4), ("build_nanogpt_log.txt", 6)])
def test_public_logs_of_this_kind_are_read(name, count):
    assert len(read_log(shared_or_skip(f"data/logs/{name}"))) == count


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["it {} nll {}\n", "{:6d} train {:.4f}\n", "[10:20:30] s:{} tel:{}\n", "v{} loss {}\n"]),
            st.integers(0, 10**6),
            st.floats(0, 100),
        ),
        max_size=30,
    )
)
def test_lines_of_known_shapes_are_read_as_if_they_were_new(rows):
    known = LineFigures()
    for form, step, loss in rows:
        line = form.format(step, loss)
        assert known.of(line) == figures(line)
