"""Mutants of canonical solutions: one change each, chosen by seed and task."""

import ast

import pytest

from evalharness.problems.mutants import mutants
from evalharness.records import Problem

PROMPT = "LIMIT = 3\n\ndef f(xs):\n"
BODY = """    total = 0
    for i in range(len(xs)):
        if xs[i] > 0 and not xs[i] == 7:
            total += xs[i] * 2
    return total
"""
PROBLEM = Problem("own/0", PROMPT, "f", BODY, "def check(f):\n    assert f([1]) == 2\n")
CHANGES = [
    ("operator", "xs[i] >= 0"),
    ("operator", "xs[i] > 0 or"),
    ("operator", "total -= xs[i]"),
    ("operator", "xs[i] + 2"),
    ("operator", "and xs[i] == 7"),
    ("constant", "total = 1"),
    ("constant", "* 3"),
    ("off by one", "xs[i + 1] > 0"),
    ("off by one", "range(len(xs) - 1)"),
    ("early return", "        break"),
    ("early return", "        return total\n    return total"),
    ("dropped branch", "if True:"),
    ("dropped branch", "if False:"),
]


@pytest.fixture(scope="module")
def every():
    return mutants(PROBLEM, at_most=1000, seed=0)


@pytest.mark.parametrize(("kind", "text"), CHANGES)
def test_each_kind_of_change_is_made(every, kind, text):
    assert [m for m in every if m.kind == kind and text in m.program]


def test_each_is_another_program_with_one_changed_line_and_the_prompt_as_it_was(every):
    whole = ast.unparse(ast.parse(PROMPT + BODY)).splitlines()
    assert len({m.program for m in every}) == len(every)
    for mutant in every:
        lines = mutant.program.splitlines()
        changed = [line for line in lines if line not in whole]
        assert len(changed) <= 1
        assert lines != whole
        assert lines[0].split() == ["LIMIT", "=", "3"]


def test_the_line_is_that_of_the_change(every):
    (first,) = [m for m in every if "total = 1" in m.program]
    assert first.line == 4


def test_seed_and_task_choose_and_few_are_a_part_of_many():
    few = mutants(PROBLEM, at_most=6, seed=1)
    assert few == mutants(PROBLEM, at_most=60, seed=1)[:6]
    assert few != mutants(PROBLEM, at_most=6, seed=2)
    assert {m.kind for m in few} == {kind for kind, _ in CHANGES}


@pytest.mark.parametrize("solution", ["", "    pass\n", "    return (\n"])
def test_what_has_nothing_to_change_gives_none(solution):
    problem = Problem("own/1", "def f():\n", "f", solution, "def check(f):\n    f()\n")
    assert mutants(problem, at_most=10, seed=0) == ()
