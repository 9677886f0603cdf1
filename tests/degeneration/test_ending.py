import random
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.degeneration import analyse
from evalharness.degeneration.ending import find_ending

BEFORE = "    total = 0\n    for n in numbers:\n        total += n\n"
FUNCTION = (
    "def count_upper(words):\n    count = 0\n    for word in words:\n        if word[0].isupper():\n"
    "            count += 1\n        else:\n            print('lower', word)\n    return count\n\n\n"
)


SHORT_FUNCTION = (
    "def count(words):\n    upper = 0\n    for word in words:\n        if word.isupper():\n            upper += 1\n"
    "    return upper\n\n\n"
)


PARAGRAPH = (
    "The function goes through all of the numbers, adds each of them to the total, and in the end returns the total "
    "divided by how many numbers there were, which is the mean of them.\n"
)


def lines(form, count=12) -> str:
    return "".join(form(i) for i in range(count))


def drawn(seed: int):
    draw = random.Random(seed)
    return lambda i: f"    x{draw.randrange(10**6)} = compute(a, b, {draw.randrange(10**6)})\n"


def free_names(seed: int, indent: str, count: int = 80) -> str:
    """Lines that are the same but for a random name and a random name or number."""
    draw = random.Random(seed)

    def name() -> str:
        return draw.choice(string.ascii_letters) + "".join(draw.choices(string.ascii_letters + string.digits, k=7))

    last = name if seed % 2 else lambda: draw.randrange(10**9)
    return lines(lambda _: f"{indent}{name()} = compute(a, b, {last()})\n", count)


FULL_OF_NAMES = {
    "fewer lines": free_names(1, "    ", 40),
    "rows of a table": "TABLE = [\n" + lines(lambda i: f"    row(kind, size, {chr(97 + i % 26)}{i**3}x),\n", 80),
    "imports": lines(lambda i: f"from package import {chr(97 + i % 26)}{i**3}x\n", 80),
    "constants": lines(lambda i: f"{chr(65 + i % 26)}{i**3}X = {i**5 % 9973}\n", 80),
    "a table of squares": lines(lambda i: f"    assert square({i}) == {i * i}\n", 80),
    "lines of names that go on": free_names(1, "    ") + "    return sorted(total, key=len)\n",
}

COUNTING = {
    "a branch for each number": lambda: lines(lambda i: f"    if n == {i}:\n        return False\n"),
    "a branch and what it returns": lambda: lines(lambda i: f"    if n == {i}:\n        return {2 * i}\n"),
    "functions with a number": lambda: lines(lambda i: f"def solve_{i}(x):\n    return solve_{i + 1}(x)\n\n\n")[:-9],
    "lists that grow": lambda: lines(lambda i: f"    if n == {i}:\n        return {list(range(3, 5 + i))}\n"),
    "names that grow": lambda: lines(lambda i: f"    if word{'_new' * i}:\n        word{'_new' * i} = word\n"),
    "calls with a result from a handful": lambda: lines(lambda i: f"f({i})  # returns {14 + i % 2}\n", 30),
    "sentences with another number": lambda: lines(lambda i: f"Here is attempt {i} at it.\n\nIt is wrong again.\n\n"),
    "numbers that come round again": lambda: lines(lambda i: f"    arr = [x for x in arr if x != {9 - i % 10}]\n", 40),
    "free numbers, very often": lambda: lines(drawn(1), 600),
}
REPEATING = {
    "a paragraph twice": PARAGRAPH * 2,
    "a paragraph twice, without its line end": (PARAGRAPH * 2)[:-1],
    "a paragraph, its second copy torn at the end": (PARAGRAPH * 2)[:-12],
    "a paragraph, its third copy torn": (PARAGRAPH * 3)[:-100],
    "the third copy of a short function half written": (SHORT_FUNCTION * 3)[:-50],
    "two copies of a function": FUNCTION * 2,
    "three, the last of them cut": (FUNCTION * 3)[:-40],
    "test prints that come again": lines(lambda i: f"print(solve({i % 3}))\n# Test the function\n", 30),
    "a statement a dozen times": "exit()\n exit()\n" * 8,
}
SOUND = {
    "properties": "class A:\n" + lines(lambda i: f"    @x.setter\n    def x(self):\n        self.{chr(97 + i)}()\n", 6),
    "a ladder with content": lines(lambda i: f"    elif x == {chr(97 + i * 7 % 26)!r}:\n        return {i * i % 11}\n"),
    "test prints": lines(lambda i: f"print(is_prime({i * i + 7}))  # {['no', 'yes'][i % 2]}: {chr(97 + i)}\n"),
    "a Roman table": lines(lambda i: f"    roman[{i}] = {'IVXLCDM'[i % 7] * (1 + i % 3) + chr(65 + i)!r}\n"),
    "a counting ladder that ends": lines(lambda i: f"    if n == {i}:\n        return False\n") + "    return True\n",
    "a table that ends": "TABLE = [\n" + lines(lambda i: f"    {i},\n", 30) + "]\n",
    "a squares table": "def test():\n" + lines(lambda i: f"    assert square({i}) == {i * i}\n", 50),
    "a paragraph twice that is short": "The mean of the numbers is what the function returns.\n" * 2,
    "the function again after prose": f"{FUNCTION}That is how it counts.\n\nThe whole program once more:\n\n{FUNCTION}",
    "calls of one shape": "a(\n" + lines(lambda i: f"    k{chr(97 + i)}={i},\n") + ")\nb(\n" + lines(
        lambda i: f"    k{chr(97 + (i * 5) % 12)}={(i * 5) % 12},\n"
    ) + ")\n",
}  # fmt: skip


@pytest.mark.parametrize("make", COUNTING.values(), ids=COUNTING)
@pytest.mark.parametrize("stop_reason", [None, "max_new_tokens"])
def test_copies_of_several_lines_that_count_or_grow_are_a_near_loop(make, stop_reason):
    text = BEFORE + make()
    for cut in (len(text), len(text) - 5):
        found = analyse(text[:cut], stop_reason=stop_reason)
        # What most copies agree with in most places is a block with interruptions as well.
        assert (found.degenerate, found.kind in {"near", "block"}) == (True, True)
        assert found.ran_to_limit


@pytest.mark.parametrize("count", [7, 8, 11, 14])
def test_whole_functions_that_only_count_are_a_loop_where_a_limit_cut_them(count):
    text = BEFORE + lines(lambda i: f"def f_{i}(x):\n    return f_{i + 1}(x) + 1\n\n\n", count)
    assert analyse(text, stop_reason="max_new_tokens").kind == "near"
    assert not analyse(text).degenerate
    assert not analyse(text + "print(f_1(3) == 7)\n", stop_reason="max_new_tokens").degenerate


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.sampled_from(["", "    ", "\t", " " * 12]), st.integers(0, 60))
def test_very_many_lines_of_one_shape_are_a_loop_at_the_cut_whatever_their_names(seed, indent, torn):
    text = BEFORE + free_names(seed, indent)
    cut = text[: len(text) - torn]
    found = analyse(cut, stop_reason="max_new_tokens")
    assert (found.kind, found.ran_to_limit, found.loop.end_character) == ("near", True, len(cut.rstrip()))
    assert found.copies >= 77


@pytest.mark.parametrize("text", FULL_OF_NAMES.values(), ids=FULL_OF_NAMES)
def test_many_names_are_content_where_the_lines_say_more_are_few_or_end(text):
    assert find_ending(text, was_cut=True) is None


def test_lines_of_free_names_whose_cut_is_not_known_may_be_whole():
    text = BEFORE + free_names(1, "    ")
    assert find_ending(text) is None
    assert find_ending(text[:-3]) is not None
    assert not analyse(text, stop_reason="end_token").degenerate


@pytest.mark.parametrize("text", REPEATING.values(), ids=REPEATING)
def test_few_copies_that_run_to_the_end_are_a_loop(text):
    found = analyse(BEFORE + text, stop_reason="max_new_tokens")
    assert (found.degenerate, found.ran_to_limit) == (True, True)
    assert found.kind in {"line", "block"}


@pytest.mark.parametrize("text", [*COUNTING.values(), *REPEATING.values()])
def test_nothing_of_it_counts_if_the_text_goes_on_with_something_new(text):
    text = text if isinstance(text, str) else text()
    assert find_ending(BEFORE + text + "    return sorted(total, key=len)\n") is None


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_lines_that_bring_something_new_are_content(text):
    assert not analyse(BEFORE + text).degenerate


def test_a_model_that_ended_by_itself_wrote_a_list_and_no_loop():
    text = BEFORE + COUNTING["a branch and what it returns"]()
    assert not analyse(text, stop_reason="end_token").degenerate


def test_a_long_tail_takes_linear_time():
    def seconds(count: int) -> float:
        text = lines(lambda i: f"    if n == {i}:\n        return {2 * i}\n", count)
        begun = time.process_time()
        find_ending(text)
        return time.process_time() - begun

    seconds(100)
    assert seconds(40_000) < 25 * seconds(4_000) + 0.1


@given(st.text(alphabet="ax1 \n=()", max_size=300))
def test_any_text_has_an_ending_that_lies_in_it_or_none(text):
    found = find_ending(text)
    if found is not None:
        assert 0 <= found.start < found.end <= len(text)
        assert found.copies >= 2
