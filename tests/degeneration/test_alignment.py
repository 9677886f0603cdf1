import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.degeneration.alignment import aligned, first_guess, mended
from evalharness.degeneration.interrupted import OF_TOKENS

COPY = np.arange(7)


def test_a_path_without_interruptions_gains_one_for_each_element():
    sequence = np.concatenate((np.arange(20, 30), np.tile(COPY, 4), np.arange(30, 40)))
    path = aligned(sequence, COPY, OF_TOKENS, torn=False)
    assert (path.start, path.score) == (10, 28)
    assert path.places.tolist() == np.tile(COPY, 4).tolist()


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (lambda loop: np.concatenate((loop[:16], [99], loop[17:])), 1 + OF_TOKENS.changed),  # in place of another
        (lambda loop: np.delete(loop, 16), 1 + OF_TOKENS.interrupted),
        (lambda loop: np.insert(loop, 16, 99), OF_TOKENS.interrupted + OF_TOKENS.between),
        (lambda loop: np.insert(loop, 16, [99] * 5), OF_TOKENS.interrupted + 5 * OF_TOKENS.between),
    ],
    ids=["changed", "lost", "put in", "five put in"],
)
def test_an_interruption_costs_what_it_says_and_the_loop_goes_on(change, lost):
    loop = np.tile(COPY, 6)
    path = aligned(change(loop), COPY, OF_TOKENS, torn=False)
    assert path.score == pytest.approx(len(loop) - lost)
    assert len(path.places) == len(change(loop))


def test_a_loop_that_is_torn_at_its_end_reaches_it_only_where_the_sequence_was_cut():
    sequence = np.concatenate((np.tile(COPY, 5), [90, 91]))
    assert len(aligned(sequence, COPY, OF_TOKENS, torn=True).places) == 37
    assert len(aligned(sequence, COPY, OF_TOKENS, torn=False).places) == 35


def test_a_spoiled_copy_is_mended_by_the_others():
    sequence = np.tile(COPY, 8)
    for spoiled in (np.array([0, 1, 99, 3, 4, 5, 6]), np.array([0, 1, 3, 4, 5, 6]), np.insert(COPY, 3, 99)):
        path = aligned(sequence, spoiled, OF_TOKENS, torn=False)
        copy, better = mended(sequence, spoiled, path, OF_TOKENS, torn=False)
        assert np.roll(copy, -int(np.argmin(copy))).tolist() == COPY.tolist()
        assert better.score == len(sequence)


def test_the_first_guess_is_made_where_the_sequence_is_most_like_itself_a_period_later():
    sequence = np.concatenate((np.arange(100, 150), np.tile(COPY, 9)))
    assert sorted(first_guess(sequence, 7, 32).tolist()) == COPY.tolist()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_a_path_lies_in_the_sequence_and_its_score_is_what_it_gains(sequence, copy):
    symbols, copy = np.array(sequence), np.array(copy)
    path = aligned(symbols, copy, OF_TOKENS, torn=False)
    if path is None:
        assert not set(sequence) & set(copy.tolist())
        return
    inside = symbols[path.start : path.start + len(path.places)]
    on = path.places >= 0
    gained = np.where(copy[path.places[on]] == inside[on], 1.0, -OF_TOKENS.changed).sum()
    jumps, last = 0, None
    for i, place in enumerate(path.places.tolist()):
        if place < 0:
            continue
        if last is not None and (i - last[0] > 1 or place != (last[1] + 1) % len(copy)):
            jumps += 1
        last = (i, place)
    most = gained - OF_TOKENS.between * (~on).sum() - OF_TOKENS.interrupted * jumps
    # An interruption may lead back to where the copy would have gone on, which is then not seen as one.
    assert path.score <= most + 1e-9
    assert on[0]
    assert on[-1]
