import pytest

from evalharness.degeneration import analyse
from evalharness.degeneration.answers import is_finished_answer
from evalharness.degeneration.content import compiles
from evalharness.degeneration.validity import validity

PROMPT = 'def f(x):\n    """Return x."""\n'


@pytest.mark.parametrize(
    ("text", "alone", "with_prompt"),
    [
        ("    return x\n", True, True),
        ("def g():\n    return 1\n", True, True),
        ("    return (x\n", False, False),
        ("return x\n", True, False),  # a body that has lost its indentation
        ("\n" * 60, False, False),
        ("", False, False),
        (" return x", True, False),
    ],
)
def test_a_completion_parses_by_itself_or_with_its_prompt(text, alone, with_prompt):
    found = validity(text, PROMPT)
    assert (found.alone, found.with_prompt) == (alone, with_prompt)


def test_without_a_prompt_it_is_not_known_whether_they_parse_together():
    assert validity("    return x\n", None).with_prompt is None


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        ("    return x\n", True),
        ("    if x:\n        return 1\n    raise ValueError\n", True),
        ("    return x\n\nprint(f(1))\n", True),
        ("    y = x\n", False),  # it parses, and nothing says that it is done
        ("    return x", False),  # the line is not ended: the loop may go on in it
        ("    return (\n", False),
        ("", False),
        ("\n\n", False),
    ],
)
def test_an_answer_is_finished_where_its_function_ends(text, finished):
    assert is_finished_answer(text, PROMPT) is finished
    assert is_finished_answer(text, None) is finished


def test_a_loop_after_a_finished_answer_is_told_from_one_in_its_place():
    after = analyse("    return x\n" + "\n" * 80, prompt=PROMPT)
    instead = analyse("\n" * 80, prompt=PROMPT)
    assert (after.after_answer, instead.after_answer) == (True, False)
    assert analyse("    return x\n", prompt=PROMPT).after_answer is None


FUNCTION = "def f(x):\n    if x:\n        return 1\n    else:\n        return 2\n\n\n"


def test_a_loop_of_whole_functions_follows_the_first_of_them():
    found = analyse(PROMPT + FUNCTION * 6, prompt=PROMPT)
    assert (found.kind, found.after_answer) == ("block", True)


def test_a_loop_of_test_prints_after_a_stub_follows_no_answer():
    stub, answer = PROMPT + "    pass\n\n", PROMPT + "    return x\n\n"
    assert analyse(stub + "print(f(1))\n" * 40, prompt=PROMPT).after_answer is False
    assert analyse(answer + "print(f(1))\n" * 40, prompt=PROMPT).after_answer is True


def test_an_answer_in_a_fence_is_finished_before_prose_that_loops():
    chat = f"Here it is:\n```python\n{FUNCTION}```\nIt works.\n"
    assert analyse(chat + "This is the code.\n" * 40, prompt=PROMPT).after_answer is True


def test_an_answer_in_the_second_copy_comes_before_the_loop_of_prompt_and_answer():
    whole = PROMPT + "    return x\n\n"
    found = analyse(PROMPT + whole * 6 + PROMPT[:-9], prompt=PROMPT)
    assert (found.degenerate, found.after_answer) == (True, True)


FINISHED = "    for n in numbers:\n        if n:\n            return n\n"
RETURNED = "    total = sum(numbers)\n    return total\n"
AFTER = {
    "prose and fences": f"{RETURNED}\nThe output should be '3'.\n" + "```\n" * 60,
    "markup": f"{RETURNED}\nf([1]) # returns 1\n</code>\n</pre>\n" + "</div>\n\n" * 60,
    "an open string": f'{RETURNED}\nprint(f([1]))\n"""\n' + "# Sample Input\n# [1, 2]\n" * 30,
    "comments in the function": f'{RETURNED}\n    """\n    A note.\n    """\n' + "    # your code here\n" * 40,
    "blank lines after a return in a loop": FINISHED + "\n" * 200,
}


@pytest.mark.parametrize("text", AFTER.values(), ids=AFTER)
def test_a_loop_after_a_function_that_returned_follows_the_answer(text):
    assert analyse(text, prompt=PROMPT).after_answer is True


@pytest.mark.parametrize(
    "text",
    [
        "    total = 0\n" + "):\n" * 60,
        "    if numbers:\n        return 1\n" + "</div>\n" * 60,
        "The output should be '3'.\n" + "```\n" * 60,
    ],
    ids=["no return", "a return in one branch", "prose alone"],
)
def test_a_loop_after_a_function_that_has_not_returned_stands_for_the_answer(text):
    assert analyse(text, prompt=PROMPT).after_answer is False


def test_code_that_would_fill_the_memory_when_compiled_is_only_parsed():
    lines = ["def f(a):"]
    for depth in range(1, 19):
        lines += [f"{' ' * depth}try:", f"{' ' * depth} return a", f"{' ' * depth}finally:"]
    assert compiles("\n".join([*lines, " " * 19 + "a"]))
    assert not compiles("return 1")
