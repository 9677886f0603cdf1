import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.degeneration import LoopDetector, find_loops
from evalharness.degeneration.early_stop import STOP_COPIES, STOP_TOKENS


def at_the_end(sequence, max_period: int):
    runs = find_loops(sequence, min_length=STOP_TOKENS, min_copies=STOP_COPIES, max_period=max_period)
    return min(((run.period, run.length) for run in runs if run.end == len(sequence)), default=None)


@given(st.data(), st.sampled_from([1, 3, 16, 256]))
@settings(max_examples=60, deadline=None)
def test_agrees_with_the_search_of_the_whole_sequence_after_each_token(data, max_period):
    piece = st.tuples(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.integers(1, 40))
    pieces = data.draw(st.lists(piece, min_size=1, max_size=4))
    sequence = [token for copy, copies in pieces for token in copy * copies][:500]
    watch = LoopDetector(max_period)
    for i, token in enumerate(sequence):
        said = watch.append(token)
        if i % 7 == 0 or said is not None:
            assert said == at_the_end(sequence[: i + 1], max_period)


def test_speaks_at_the_sixty_fourth_newline_and_not_before():
    watch = LoopDetector()
    said = [watch.append(200) for _ in range(70)]
    assert said[:63] == [None] * 63
    assert said[63:] == [(1, length) for length in range(64, 71)]


def test_a_long_period_has_to_show_four_copies():
    watch = LoopDetector()
    said = [watch.append(token) for token in list(range(100)) * 4]
    assert said[:-1] == [None] * 399
    assert said[-1] == (100, 400)


def test_forgets_a_loop_that_ended():
    watch = LoopDetector()
    assert [watch.append(token) for token in [5] * 80 + [6]][-1] is None


def test_remembers_over_many_thousand_tokens():
    draw = random.Random(0)
    watch = LoopDetector(max_period=8)
    assert not any(watch.append(draw.randrange(5_000)) for _ in range(20_000))
    assert [watch.append(token) for token in [1, 2, 3] * 300][-1] == (3, 900)


def test_a_period_below_one_is_refused(golden_text):
    with pytest.raises(ValueError) as error:
        LoopDetector(0)
    golden_text(error)
