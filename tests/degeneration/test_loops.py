import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.degeneration import Repetition, analyse, find_loops

few_symbols = st.integers(1, 3).flatmap(lambda largest: st.lists(st.integers(0, largest), max_size=70))


def is_periodic(sequence, period: int) -> bool:
    return all(a == b for a, b in zip(sequence, sequence[period:], strict=False))


def by_brute_force(sequence, min_length: int, min_copies: int, max_period: int) -> list[Repetition]:
    found = set()
    for period in range(1, max_period + 1):
        start = 0
        while start + period <= len(sequence):
            end = start + period
            while end < len(sequence) and sequence[end] == sequence[end - period]:
                end += 1
            run = sequence[start:end]
            primitive = not any(is_periodic(run, shorter) for shorter in range(1, period))
            if len(run) >= max(min_length, min_copies * period) and primitive:
                found.add((start, period, len(run)))
            start = end - period + 1
    return [Repetition(period, onset, length) for onset, period, length in sorted(found)]


@given(few_symbols, st.integers(1, 30), st.integers(3, 5), st.integers(1, 20))
@settings(max_examples=400, deadline=None)
def test_equals_brute_force_on_short_sequences(sequence, min_length, min_copies, max_period):
    found = find_loops(sequence, min_length=min_length, min_copies=min_copies, max_period=max_period)
    assert found == by_brute_force(sequence, min_length, min_copies, max_period)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_runs_beside_and_inside_runs_equal_brute_force(data):
    pieces = data.draw(st.lists(st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=6), st.integers(1, 9))))
    sequence = [symbol for piece, copies in pieces for symbol in piece * copies][:200]
    found = find_loops(sequence, min_length=12, min_copies=3, max_period=6)
    assert found == by_brute_force(sequence, 12, 3, 6)


@given(st.integers(1, 200), st.integers(4, 9), st.integers(0, 300), st.integers(0, 300), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_a_planted_loop_is_found_where_it_was_planted(period, copies, before, after, seed):
    draw = random.Random(seed)
    # No symbol of the surroundings is in the loop, and none of the period's twice: the period is primitive.
    copy = draw.sample(range(1_000, 9_000), period)
    copies = max(copies, -(-48 // period))
    sequence = [draw.randrange(1_000) for _ in range(before)] + copy * copies + [draw.randrange(1_000)] * (after % 7)
    assert Repetition(period, before, period * copies) in find_loops(sequence, min_length=48)


def test_twelve_equal_tokens_are_one_token_twelve_times():
    (loop,) = find_loops([7] * 12, min_length=12)
    assert (loop.period, loop.copies, loop.onset, loop.length, loop.end) == (1, 12, 0, 12, 12)


def test_a_torn_last_copy_belongs_to_the_run_and_is_no_copy():
    (loop,) = find_loops("xyz" + "abcde" * 10 + "abc", min_length=48)
    assert (loop.period, loop.copies, loop.onset, loop.length) == (5, 10, 3, 53)


def test_a_long_run_does_not_hide_a_longer_period_beside_it():
    line = "a" * 5_000 + "b"
    other = "".join(chr(200 + i) for i in range(90))
    found = find_loops(line + other * 5 + "a" * 5_000, min_length=48, max_period=100)
    assert [(loop.period, loop.length) for loop in found] == [(1, 5_000), (90, 450), (1, 5_000)]


def test_three_copies_and_short_runs_are_left_out():
    assert find_loops("ab" * 3 + "cdefg", min_length=6) == []
    assert find_loops("if a: b()\n" * 3, min_length=20) == []


@pytest.mark.parametrize("sequence", [[], [3], "", "x", [-5, 2**40]])
def test_short_sequences_have_no_loops(sequence):
    assert find_loops(sequence, min_length=48) == []


def test_ids_outside_any_vocabulary_and_lone_surrogates_are_symbols_too():
    assert len(find_loops([-7, 2**40] * 30, min_length=48)) == 1
    assert len(find_loops("\ud800x" * 30, min_length=48)) == 1


@pytest.mark.parametrize("sizes", [(0, 4, 9), (48, 2, 9), (48, 4, 0)])
def test_sizes_that_can_not_be_searched_are_refused(sizes, golden_text):
    min_length, min_copies, max_period = sizes
    with pytest.raises(ValueError) as error:
        find_loops("abc", min_length=min_length, min_copies=min_copies, max_period=max_period)
    golden_text(error)


def thue_morse(length: int) -> str:
    return "".join("ab"[i.bit_count() % 2] for i in range(length))


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 1_000_000,
        "    return x\n" * 80_000,
        "".join(random.Random(0).choices("ab", k=1_000_000)),
        "[" * 500_000 + "]" * 500_000,
        thue_morse(2**20),
    ],
    ids=["newlines", "lines", "random", "nested", "thue_morse"],
)
def test_a_megabyte_takes_bounded_time(text):
    began = time.process_time()
    find_loops(text, min_length=48, max_period=1024)
    assert time.process_time() - began < 10  # a fraction of a second on an idle core


def test_three_copies_of_a_long_unit_are_a_loop_where_they_are_most_of_what_was_written():
    unit = "".join(f"    numbers = [n for n in numbers if n != {n}]\n" for n in (7, 1, 9, 4))
    assert analyse(unit * 3 + "    return sum(numbers)\n").kind == "block"
    assert not analyse(unit * 2 + "    return sum(numbers)\n").degenerate
