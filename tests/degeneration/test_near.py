import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.degeneration import analyse
from evalharness.degeneration.near import find_near


def lines(form, count=20) -> str:
    return "".join(form(i) for i in range(count))


DRAWN = [["left", "right", "root"][int(c)] for c in "02110220100212011022"]
NEAR = {
    "a number that counts": lines(lambda i: f"    x = compute({i})\n"),
    "names that are numbered": lines(lambda i: f"    x{i} = x{i + 1} + 1\n"),
    "comments that count in tens": lines(lambda i: f"# Step {10 * i}: add the value\n"),
    "names from a handful": lines(lambda i: f"    node = insert({DRAWN[i]}, node)\n"),
    "a sum that grows": lines(lambda i: "    return " + " + ".join("x" * (i + 1)) + "\n"),
    "one odd line among them": lines(lambda i: f"    x = compute({i})\n" if i != 9 else "    pass\n"),
}
SOUND = {
    "attributes": "def __init__(self):\n" + lines(lambda i: f"    self.field_{chr(97 + i)}s = None\n"),
    "a table of squares": "def test():\n" + lines(lambda i: f"    assert square({i}) == {i * i}\n"),
    "unrolled code that goes on": lines(lambda i: f"    x{i} = a[{i}]\n") + "    return x0 + x19\n",
    "functions of one shape": lines(lambda i: f"def is_{i}(shape):\n    return shape.sides == {i}\n\n\n"),
    "a literal": "    TABLE = [\n" + lines(lambda i: f"        ({i}, {i}, 'row {i}'),\n") + "    ]\n",
    "seven lines": lines(lambda i: f"    state_of_machine = compute_next({i})\n", 7),
}


@pytest.mark.parametrize("text", NEAR.values(), ids=NEAR)
@pytest.mark.parametrize("stop_reason", [None, "max_new_tokens"])
def test_lines_that_say_nothing_new_are_a_near_loop(text, stop_reason):
    found = analyse("def f(a):\n    y = [a, a]\n" + text, stop_reason=stop_reason)
    assert (found.kind, found.onset, found.ran_to_limit) == ("near", 25, True)


def test_a_copy_that_was_cut_belongs_to_the_loop():
    text = NEAR["a number that counts"]
    assert analyse(text[:-6]).loop.end_character == len(text) - 6


@pytest.mark.parametrize("torn", [0, 1, 4, 15])
def test_the_eighth_copy_may_be_torn(torn):
    text = lines(lambda i: f"    value = compute({i})\n", 8)
    found = analyse(text[: len(text) - torn], stop_reason="max_new_tokens")
    assert (found.kind, found.loop.end_character) == ("near", len(text[: len(text) - torn].rstrip()))


def test_the_beginning_of_another_line_is_no_eighth_copy():
    text = lines(lambda i: f"    value = compute({i})\n", 7)
    assert not find_near(text + "    retu")


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_lines_of_one_shape_that_say_something_are_content(text):
    assert analyse(text).kind is None


def test_a_number_that_varies_freely_counts_only_where_the_limit_cut_it():
    text = lines(lambda i: f"    value = compute({i * 7919 % 101})\n")
    assert not analyse(text).degenerate
    assert not analyse(text, stop_reason="end_token").degenerate
    assert analyse(text, stop_reason="max_new_tokens").kind == "near"


@given(st.text(alphabet="ax1 \n=(", max_size=300))
def test_any_text_is_searched_and_what_is_found_lies_in_it(text):
    for loop in find_near(text):
        assert 0 <= loop.start < loop.end <= len(text)
        assert loop.copies >= 8
