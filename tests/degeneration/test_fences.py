from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from evalharness.degeneration.fences import part_around, parts

CHAT = "Here it is:\n```python\nreturn 1\n```\nIt returns one.\n"


def texts(text: str) -> list[str]:
    return [text[start:end] for start, end in parts(text)]


def test_a_chat_answer_has_prose_code_and_prose():
    assert texts(CHAT) == ["Here it is:\n", "return 1\n", "It returns one.\n"]


def test_code_without_fences_is_one_part():
    assert texts("x = '```'\n") == ["x = '```'\n"]


def test_a_fence_that_the_cut_lost_and_one_that_the_prompt_opened_still_part_the_text():
    assert texts("```python\nreturn 1") == ["", "return 1"]
    assert texts("    return 1\n```") == ["    return 1\n", ""]


def test_the_part_around_a_place_is_the_fence_that_holds_it():
    start = CHAT.index("return")
    assert CHAT[slice(*part_around(CHAT, start, start + 6))] == "return 1\n"
    assert part_around(CHAT, start, len(CHAT)) == (0, len(CHAT))


@given(st.text(alphabet="`a\n ", max_size=80))
def test_parts_lie_in_order_in_the_text_and_only_fences_stand_between_them(text):
    found = parts(text)
    assert all(start <= end for start, end in found)
    between = "".join(text[a[1] : b[0]] for a, b in pairwise(found))
    assert all(line.strip().startswith("```") for line in between.splitlines())
