import pytest

from evalharness.completion_files import FileCompletion
from evalharness.completion_files.tasks import Tasks, beginnings, continuation
from evalharness.records import Problem


def problem(task_id, prompt):
    return Problem(task_id, prompt, "f", "    pass\n", "def check(f): ...")


SHORT, LONG = problem("MBPP/11", "\ndef f(a):\n"), problem("MBPP/12", "\ndef f(a):\n    x = 1\n")


@pytest.mark.parametrize("name", ["MBPP/11", "Mbpp/11", "mbpp/11", "11"])
def test_a_task_is_found_under_the_names_that_tools_give_it(name):
    assert Tasks([LONG, SHORT]).of(FileCompletion(name, "x", 1)) is SHORT


def test_a_text_without_an_id_is_told_by_the_longest_prompt_that_it_begins_with():
    tasks = Tasks([SHORT, LONG])
    whole = {"number": 1, "has_id": False, "holds_prompt": True}
    assert tasks.of(FileCompletion("0", "def f(a):\n    return a", **whole)) is SHORT
    assert tasks.of(FileCompletion("0", "def f(a):\n    x = 1\n    return x", **whole)) is LONG
    assert tasks.of(FileCompletion("0", "def g(): ...", **whole)) is None


def test_a_position_or_the_number_of_a_line_is_no_task_id():
    for holds_prompt in (True, False):
        completion = FileCompletion("11", "def g(): ...", 11, has_id=False, holds_prompt=holds_prompt)
        assert Tasks([SHORT]).of(completion) is None


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
    assert continuation(FileCompletion("11", text, 1, holds_prompt=True, prompt=prompt), SHORT) == expected


def test_a_completion_that_writes_the_prompt_again_keeps_it():
    assert continuation(FileCompletion("11", SHORT.prompt * 2, 1, prompt=SHORT.prompt), SHORT) == SHORT.prompt * 2


def test_a_whole_program_of_an_unknown_problem_is_not_cut():
    assert continuation(FileCompletion("11", "def f(a):", 1, holds_prompt=True), None) is None


MBPP = problem(
    "MBPP/14", '"""\nFind the volume.\nassert find(10) == 240\nassert find(3) == 6\nassert find(1) == 1\n"""\n'
)
ONE_TEST = '"""\nFind the volume.\nassert find(10) == 240\n"""\n'


def test_mbpp_with_its_first_test_alone_is_the_same_prompt():
    assert ONE_TEST in beginnings(MBPP.prompt)
    completion = FileCompletion("0", f"{ONE_TEST}def find(a): ...", 1, has_id=False, holds_prompt=True)
    assert Tasks([SHORT, MBPP]).of(completion) is MBPP
    assert continuation(completion, MBPP) == "def find(a): ..."


def test_of_two_problems_with_the_same_prompt_the_position_decides():
    other = problem("MBPP/13", SHORT.prompt)
    tasks = Tasks([LONG, SHORT, other])
    first, second, third, far = (
        FileCompletion("0", "def f(a):\n    return a", number, has_id=False, holds_prompt=True)
        for number in (1, 2, 3, 9)
    )
    assert (tasks.of(second), tasks.of(third)) == (SHORT, other)
    assert (tasks.of(first), tasks.of(far)) == (None, None)
