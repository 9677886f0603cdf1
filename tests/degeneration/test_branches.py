import pytest

from evalharness.degeneration import analyse
from evalharness.degeneration.branches import is_finished_branching

COMPARED = (
    "        if first > second:\n            return first\n        elif first < second:\n            return second\n"
)
COMPARED += "        else:\n            return None\n"
CHECKED = "if isinstance(first, {0}) and isinstance(second, {0}):\n"
BRANCHES = "    el".join(CHECKED.format(name) + COMPARED for name in ("int", "float", "str", "list"))
FINISHED = f"    {BRANCHES}    else:\n        return None\n"
SAME = "    el".join([CHECKED.format("int") + COMPARED] * 4)


def of_all(text: str) -> tuple[int, int]:
    return text.index("if first"), len(text)


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        (FINISHED, True),
        (f"```python\ndef larger(first, second):\n{FINISHED}```\n", True),
        (f"    {BRANCHES}", False),  # no last branch
        (f"{FINISHED}    return first\n", False),  # goes on
        (FINISHED[:-8], False),  # cut in the last branch
        (f"    {SAME}    else:\n        return None\n", False),  # one condition again and again
    ],
    ids=["finished", "in a fence", "no else", "goes on", "cut", "one condition"],
)
def test_branches_are_finished_by_an_else_that_leaves_and_ends_the_text(text, finished):
    assert is_finished_branching(text, *of_all(text)) is finished


def test_finished_branches_that_compare_alike_are_no_loop_unless_a_limit_cut_them():
    assert not analyse(FINISHED).degenerate
    assert not analyse(FINISHED, stop_reason="end_token").degenerate
    assert analyse(f"    {SAME}").degenerate
    assert analyse(FINISHED, stop_reason="max_new_tokens").degenerate
