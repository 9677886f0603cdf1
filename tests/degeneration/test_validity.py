import pytest

from evalharness.degeneration import analyse
from evalharness.degeneration.validity import is_finished_answer, validity

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
