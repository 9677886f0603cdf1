from hypothesis import given
from hypothesis import strategies as st

from evalharness.degeneration import find_loops, find_loops_in, longest_runs, seq_reps
from evalharness.degeneration.batches import CHUNK_ELEMENTS

sequences = st.lists(st.lists(st.integers(-2, 3), max_size=80), max_size=12)


@given(sequences)
def test_many_together_are_as_each_alone(many):
    assert find_loops_in(many, min_length=12, min_copies=3, max_period=9) == [
        find_loops(one, min_length=12, min_copies=3, max_period=9) for one in many
    ]
    assert longest_runs(many) == [longest_runs([one])[0] for one in many]
    assert seq_reps(many) == [seq_reps([one])[0] for one in many]


def test_no_loop_goes_on_from_one_sequence_to_the_next():
    assert find_loops_in([[7] * 40, [7] * 40], min_length=48) == [[], []]


def test_a_sequence_longer_than_a_chunk_stands_between_short_ones():
    long = list(range(CHUNK_ELEMENTS)) + [1, 2] * 50
    assert [len(found) for found in find_loops_in([[5] * 60, long, [], "ab" * 40], min_length=48)] == [1, 1, 0, 1]
    assert longest_runs([[5] * 60, long, [], "aab"]) == [60, 1, 0, 2]
