import math
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.degeneration import longest_runs, measure, seq_reps
from evalharness.degeneration.measures import longest_newline_run, predictions, text_entropy_nats

sequences = st.one_of(st.text("ab\n", max_size=40), st.lists(st.integers(-3, 3), max_size=40))


def seq_rep_by_definition(sequence, n: int) -> float:
    ngrams = [tuple(sequence[i : i + n]) for i in range(len(sequence) - n + 1)]
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else 0.0


@given(sequences)
def test_seq_rep_equals_its_definition(sequence):
    assert seq_reps([sequence])[0] == pytest.approx([seq_rep_by_definition(sequence, n) for n in (1, 2, 3, 4)])


def test_seq_rep_stays_exact_where_n_grams_outnumber_what_an_integer_names():
    sequence = [*range(70_000), *range(70_000)]
    assert seq_reps([sequence])[0] == pytest.approx([seq_rep_by_definition(sequence, n) for n in (1, 2, 3, 4)])


@given(sequences)
def test_longest_run_equals_its_definition(sequence):
    assert longest_runs([sequence])[0] == max((len(list(run)) for _, run in groupby(sequence)), default=0)


@given(sequences)
def test_text_entropy_lies_between_none_and_all_different(sequence):
    assert 0 <= text_entropy_nats(sequence) <= math.log(max(1, len(sequence))) + 1e-9


def test_text_entropy_is_in_nats():
    assert text_entropy_nats([4, 9, 4, 9]) == pytest.approx(math.log(2))
    assert text_entropy_nats([200] * 50) == 0


@pytest.mark.parametrize(
    ("text", "run"), [("", 0), ("a", 0), ("a\n\nb\n", 2), ("\r\n" * 3, 3), ("\n \n", 1), ("\n" * 200, 200)]
)
def test_newlines_in_a_row_are_counted(text, run):
    assert longest_newline_run(text) == run


def test_an_empty_completion_measures_nothing():
    measured = measure("", [])
    assert (measured.longest_token_run, measured.longest_newline_run, measured.whitespace_share) == (0, 0, 0)
    assert measured.text_entropy_nats == 0
    assert measured.seq_rep == (0, 0, 0, 0)
    assert measured.predictions is None
    assert measure("", [], []).predictions is None


def test_ids_are_measured_where_they_are_given_and_characters_where_not():
    on_ids, on_text = measure("aaaa b\n", [7, 8], [0.5, 1.5]), measure("aaaa b\n")
    assert (on_ids.unit, on_ids.longest_token_run, on_ids.predictions.mean_nats) == ("token", 1, 1.0)
    assert on_ids.predictions.min_nats == 0.5
    assert (on_text.unit, on_text.longest_token_run) == ("character", 4)
    assert on_ids.whitespace_share == on_text.whitespace_share == pytest.approx(2 / 7)


def test_predictions_are_told_apart_before_the_loop_and_in_it():
    along = predictions([2.0, 1.5, 0.5, 0.25, 0.25], (2, 5))
    assert along.before_loop_nats == 1.75
    assert along.in_loop_nats == pytest.approx(1 / 3)
    from_the_start = predictions([1.0, 0.5], (0, 2))
    assert (from_the_start.before_loop_nats, from_the_start.in_loop_nats) == (None, 0.75)


def test_the_trend_is_the_slope_of_the_least_squares_line():
    assert predictions([3.0, 2.0, 1.0]).trend_nats_per_token == pytest.approx(-1.0)
    assert predictions([1.0, 1.0, 1.0, 1.0]).trend_nats_per_token == 0
    assert predictions([1.0]).trend_nats_per_token is None
