import pytest

from evalharness.completion_files import FileCompletion
from evalharness.completion_files.tasks import Tasks, continuation
from evalharness.problems import ProblemSet
from evalharness.records import Problem


def problem(task_id, prompt):
    return Problem(task_id, prompt, "f", "    pass\n", "def check(f): ...")


def tasks_of(*problems):
    return Tasks(ProblemSet("own", problems, digest=""))


SHORT, LONG = problem("MBPP/11", "\ndef f(a):\n"), problem("MBPP/12", "\ndef f(a):\n    x = 1\n")


@pytest.mark.parametrize("name", ["MBPP/11", "Mbpp/11", "mbpp/11", "11"])
def test_a_task_is_found_under_the_names_that_tools_give_it(name):
    assert tasks_of(LONG, SHORT).of(FileCompletion(name, "x", 1)) is SHORT


def test_a_text_without_an_id_is_told_by_the_longest_prompt_that_it_begins_with():
    tasks = tasks_of(SHORT, LONG)
    whole = {"number": 1, "has_id": False, "holds_prompt": True}
    assert tasks.of(FileCompletion("0", "def f(a):\n    return a", **whole)) is SHORT
    assert tasks.of(FileCompletion("0", "def f(a):\n    x = 1\n    return x", **whole)) is LONG
    assert tasks.of(FileCompletion("0", "def g(): ...", **whole)) is None


def test_a_position_or_the_number_of_a_line_is_no_task_id():
    for holds_prompt in (True, False):
        completion = FileCompletion("11", "def g(): ...", 11, has_id=False, holds_prompt=holds_prompt)
        assert tasks_of(SHORT).of(completion) is None


@pytest.mark.parametrize(
    ("text", "prompt", "expected"),
    [
        ("\ndef f(a):\n    return a", None, "    return a"),
        ("def f(a):\n    return a", None, "\n    return a"),
        ("sent:    return a", "sent:", "    return a"),
        ("import x\ndef f(a):\n    return a", None, None),
        ("def f(a):", None, ""),
    ],
)
def test_the_prompt_is_cut_off_where_it_is_exactly_the_beginning(text, prompt, expected):
    assert continuation(FileCompletion("11", text, 1, holds_prompt=True, prompt=prompt), [SHORT.prompt]) == expected


def test_a_completion_that_writes_the_prompt_again_keeps_it():
    assert continuation(FileCompletion("11", SHORT.prompt * 2, 1, prompt=SHORT.prompt)) == SHORT.prompt * 2


def test_a_whole_program_of_an_unknown_problem_is_not_cut():
    assert continuation(FileCompletion("11", "def f(a):", 1, holds_prompt=True)) is None


MBPP = problem(
    "MBPP/14", '"""\nFind the volume.\nassert find(10) == 240\nassert find(3) == 6\nassert find(1) == 1\n"""\n'
)
ONE_TEST = '"""\nFind the volume.\nassert find(10) == 240\n"""\n'


def test_mbpp_with_its_first_test_alone_is_the_same_prompt():
    completion = FileCompletion("0", f"{ONE_TEST}def find(a): ...", 1, has_id=False, holds_prompt=True)
    tasks = tasks_of(SHORT, MBPP)
    assert tasks.of(completion) is MBPP
    assert continuation(completion, tasks.prompts_of(MBPP)) == "def find(a): ..."


def test_of_two_problems_with_the_same_prompt_the_position_decides():
    other = problem("MBPP/13", SHORT.prompt)
    tasks = tasks_of(LONG, SHORT, other)
    first, second, third, far = (
        FileCompletion("0", "def f(a):\n    return a", number, has_id=False, holds_prompt=True)
        for number in (1, 2, 3, 9)
    )
    assert (tasks.of(second), tasks.of(third)) == (SHORT, other)
    assert (tasks.of(first), tasks.of(far)) == (None, None)


class RomanNumerals:
    """A set whose problems have names and prompts of their own in files of other tools."""

    problems = (problem("R/1", "write one:\n"), problem("R/2", "write two:\n"))

    def names_of(self, problem):
        return {"R/1": ("I",), "R/2": ("II",)}[problem.task_id]

    def prompts_of(self, problem):
        return {"R/1": (), "R/2": ("two, please:\n",)}[problem.task_id]


def test_a_set_says_what_its_problems_are_called_and_asked_with_elsewhere():
    first, second = RomanNumerals.problems
    tasks = Tasks(RomanNumerals())
    assert tasks.of(FileCompletion("ii", "x", 1)) is second
    assert tasks.of(FileCompletion("I", "x", 1)) is first
    assert tasks.of(FileCompletion("2", "x", 1)) is None
    asked_otherwise = FileCompletion("0", "two, please:\nprint(2)", 1, has_id=False, holds_prompt=True)
    assert tasks.of(asked_otherwise) is second
    assert continuation(asked_otherwise, tasks.prompts_of(second)) == "print(2)"
