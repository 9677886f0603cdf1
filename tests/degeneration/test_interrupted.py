import random
import re

import pytest

from evalharness.degeneration import analyse
from evalharness.degeneration.interrupted import find_interrupted

COPY = "    total = self.add(total, value)\n"
BODY = COPY + "    if value is None:\n        return total\n"


def spoiled(copy: list[int], copies: int, seed: int) -> list[int]:
    """Copies with one element in twenty changed, the first copy excepted."""
    draw = random.Random(seed)
    loop = copy * copies
    return [
        x if i < max(4, len(copy)) or draw.random() > 0.05 else draw.randrange(900, 999) for i, x in enumerate(loop)
    ]


@pytest.mark.parametrize("period", [1, 2, 7, 20, 64, 200])
def test_a_loop_with_one_element_in_twenty_changed_is_found_with_its_period_and_place(period):
    found = 0
    for seed in range(20):
        before = list(range(2000, 2030))
        loop = spoiled(list(range(period)), max(8, 120 // period), seed)
        best = next(iter(find_interrupted(before + loop, min_length=48)), None)
        found += best is not None and best.run.period == period and abs(best.run.onset - 30) <= max(1, period)
    assert found >= 19


def test_an_element_lost_or_put_in_does_not_end_the_loop():
    draw = random.Random(0)
    loop = [
        x for x in list(range(12)) * 20 for x in ([] if draw.random() < 0.02 else [x] * (1 + (draw.random() < 0.02)))
    ]
    (best, *_) = find_interrupted(loop, min_length=48)
    assert best.run.period == 12
    assert best.run.length > 0.9 * len(loop)


def test_what_varies_at_the_same_place_in_every_copy_is_no_interruption():
    shape = [x for i in range(40) for x in (1, 2, 3, 1000 + i, 4, 5, 6, 7, 8, 9, 2000 + i, 10, 11, 12, 13, 14)]
    assert find_interrupted(shape, min_length=48) == []


def test_random_elements_and_short_sequences_hold_no_loop():
    draw = random.Random(1)
    assert find_interrupted([draw.randrange(50) for _ in range(2000)], min_length=48) == []
    assert find_interrupted([], min_length=48) == find_interrupted([1] * 9, min_length=48) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("\n" * 30 + "foo" + "\n" * 25 + ")" + "\n" * 40 + "= [" + "\n" * 30, "newline"),
        (COPY * 4 + COPY.replace("self", "return") + COPY * 4 + COPY.replace("add(", "= =") + COPY * 3, "line"),
        (BODY * 3 + BODY.replace("None", ") (") + BODY * 3 + BODY.replace("total,", "for") + BODY, "block"),
        ("return " * 20 + "x " + "return " * 15 + "( " + "return " * 12 + "in " + "return " * 20, "token"),
    ],
)
def test_an_interrupted_loop_is_named_by_its_copies(text, kind):
    found = analyse(text)
    assert (found.kind, found.degenerate) == (kind, True)
    assert found.loop.agreement < 1.0 or found.loop.share > 0.5
    assert found.onset <= len(text) // 8
    assert found.share > 0.75


def test_nearly_equal_lines_that_parse_are_tests_and_no_loop():
    tests = "def test_bounds():\n" + "".join(
        f"    assert clamp({value}, 0, 10) == {max(0, min(10, value))}\n"
        for value in (-5, -1, 0, 3, 7, 10, 11, 25, 99, -9)
    )
    for stop_reason in (None, "end_token", "max_new_tokens"):
        assert not analyse(tests, stop_reason=stop_reason).degenerate
    assert not analyse(tests[:-8], stop_reason="max_new_tokens").degenerate


@pytest.mark.parametrize("kind", ["line", "block", "token", "newline"])
def test_the_copy_is_what_most_copies_have_and_not_a_spoiled_one(kind):
    copy = {"line": COPY, "block": BODY, "token": "return ", "newline": "\n"}[kind]
    draw = random.Random(4)
    words = [word for _ in range(60) for word in re.findall(r"\n|[^\S\n]+|\w+|[^\w\s]", copy)]
    text = "".join(draw.choice(["(", "np", "7"]) if i > 30 and draw.random() < 0.05 else w for i, w in enumerate(words))
    found = analyse("x = [\n" + text)
    assert (found.kind, found.ran_to_limit) == (kind, True)
    assert sorted(found.loop.text) == sorted(copy)
    assert abs(found.onset - 6) <= found.period


def test_comments_that_are_nearly_the_same_are_a_loop_although_they_parse():
    line = "    # Non-central Fisher distribution when nc = 0\n"
    odd = [line.replace("central", "x"), line.replace(" = ", " ("), line.replace("Fisher", "the")]
    assert analyse("def f():\n    x = 1\n" + line * 3 + odd[0] + line * 2 + odd[1] + line * 2 + odd[2]).kind == "line"


def test_code_that_was_cut_in_the_middle_of_a_call_is_code():
    rows = "".join(f'    ("2012-01-{day:02}", {day % 3}.5, "left"),\n' for day in range(1, 25))
    for text in (f"TABLE = check([\n{rows}", f"TABLE = check([\n{rows}"[:-9]):
        assert not analyse(text, stop_reason="max_new_tokens").degenerate
