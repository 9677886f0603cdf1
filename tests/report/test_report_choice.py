from dataclasses import replace

import report_example as example
from hypothesis import given
from hypothesis import strategies as st

from evalharness.records import Verdict
from evalharness.report.chosen_completions import choose, worst

LOOPS = {"newline": [example.NEWLINE], "token": [6], "line": [1, 2, 5, example.NEWLINE], "phrase": [4, 5]}


def looping(kind: str, number: int, tokens: int = 100):
    ids = (LOOPS[kind] * tokens)[:tokens]
    found = example.scored(example.problem(number), ids, completion_id=list(LOOPS).index(kind), decoding="sampled")
    assert found.analysis.kind == kind
    return found


def names(chosen) -> list[tuple[str, str | None]]:
    return [(s.problem.task_id, s.analysis.kind) for s in chosen]


def test_the_longest_loop_another_kind_and_one_that_passes_are_shown():
    chosen = choose(example.warmup())
    assert [(why, s.problem.task_id, s.analysis.kind) for why, s in chosen] == [
        ("the longest loop", "warmup/4", "near"),
        ("another kind of degeneration", "warmup/0", "newline"),
        ("passes", "warmup/1", None),
    ]
    assert chosen[2][1].execution.verdict is Verdict.PASSED


def test_a_model_that_does_nothing_but_loop_is_shown_three_times():
    found = choose([looping("newline", i) for i in (10, 9, 2, 1)])
    assert [s.problem.task_id for _, s in found] == ["warmup/1", "warmup/2", "warmup/9"]


def test_what_is_degenerate_without_a_loop_is_not_called_one(golden_text):
    golden_text(choose([example.scored(example.problem(0), [])])[0][0])


def test_the_worst_are_of_every_kind_before_one_comes_again():
    assert names(worst({"warmup": example.warmup()})) == [
        ("warmup/0", "newline"),
        ("warmup/2", "token"),
        ("warmup/5", "empty"),
        ("warmup/3", "line"),
        ("warmup/4", "near"),
    ]


def test_a_common_kind_leaves_its_problem_to_a_rare_one():
    # The longest newlines are of the only problem that has an empty completion.
    newlines = [looping("newline", 1, 90), looping("newline", 2, 200)]
    found = worst({"warmup": [*newlines, example.scored(example.problem(2), [])]})
    assert names(found) == [("warmup/1", "newline"), ("warmup/2", "empty")]


def test_of_one_kind_the_longest_loops_are_the_worst():
    lengths = {0: 80, 1: 120, 2: 90, 3: 70, 4: 110, 5: 100}
    found = worst({"warmup": [looping("newline", n, tokens) for n, tokens in lengths.items()]})
    assert [s.problem.task_id for s in found] == ["warmup/1", "warmup/4", "warmup/5", "warmup/2", "warmup/0"]


def test_problems_of_two_sets_are_different_though_they_are_called_the_same():
    assert len(worst({"a": [looping("newline", 0)], "b": [looping("newline", 0)]})) == 2


def test_without_degenerate_completions_there_is_no_worst():
    sound = example.scored(example.problem(0), [1, 2, 3, 4, 5, example.NEWLINE], Verdict.PASSED)
    assert worst({"warmup": [sound]}) == []
    assert worst({}) == []


kinds_of_problems = st.lists(st.tuples(st.sampled_from(sorted(LOOPS)), st.integers(0, 3)), max_size=9)
MADE = {(kind, n): looping(kind, n) for kind in LOOPS for n in range(4)}


@given(kinds_of_problems, st.randoms())
def test_the_worst_are_at_most_five_of_different_problems_in_any_order(which, random):
    members = [replace(MADE[key]) for key in dict.fromkeys(which)]
    found = worst({"warmup": members})
    assert len({s.problem.task_id for s in found}) == len(found) <= 5
    assert len(found) == min(5, len({s.problem.task_id for s in members}))
    random.shuffle(members)
    assert worst({"warmup": members}) == found
