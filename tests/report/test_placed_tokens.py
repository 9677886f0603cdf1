"""Which characters each token wrote, found from the texts of the tokens alone."""

from __future__ import annotations

import pytest

from evalharness.report.placed_tokens import placed_tokens

PART = "\N{REPLACEMENT CHARACTER}"
TEXTS = {1: "def", 2: " f", 3: "f", 4: "(", 5: ")", 6: "\n", 7: PART, 8: PART, 9: "<|end|>", 10: ""}


def pieces(text: str, ids: list[int]) -> list[tuple[tuple[int, ...], str]]:
    return [(token.ids, token.text) for token in placed_tokens(text, ids, TEXTS, ())]


def test_each_token_has_its_own_characters():
    assert pieces("def f()", [1, 2, 4, 5]) == [((1,), "def"), ((2,), " f"), ((4,), "("), ((5,), ")")]


def test_a_space_that_a_token_alone_does_not_show_belongs_to_it():
    assert pieces("def f", [1, 3]) == [((1,), "def"), ((3,), " f")]


def test_the_bytes_of_one_character_are_one_piece():
    assert pieces("def\U0001f600()", [1, 7, 8, 4, 5])[1] == ((7, 8), "\U0001f600")
    assert pieces("def\U0001f600", [1, 7, 8])[-1] == ((7, 8), "\U0001f600")


@pytest.mark.parametrize("silent", [9, 10, 77])
def test_a_token_without_text_goes_with_the_next(silent):
    assert pieces("def()", [1, silent, 4, 5]) == [((1,), "def"), ((silent, 4), "("), ((5,), ")")]


def test_what_a_stop_cut_off_is_left_out():
    assert pieces("def", [1, 4, 5]) == [((1,), "def")]


def test_text_that_no_token_tells_of_is_left_out():
    text = "def" + 100 * "x"
    assert "".join(token.text for token in placed_tokens(text, [1, 7], TEXTS, ())) == "def"


def test_of_several_tokens_the_highest_entropy_counts():
    tokens = placed_tokens("def\U0001f600(", [1, 7, 8, 4], TEXTS, [0.1, 0.2, 0.9, 0.3])
    assert [token.entropy_nats for token in tokens] == [0.1, 0.9, 0.3]
    assert placed_tokens("def", [1], TEXTS, ())[0].entropy_nats is None


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_an_entropy_that_is_not_finite_is_not_shown(unknown):
    tokens = placed_tokens("def\U0001f600", [1, 7, 8], TEXTS, [unknown, unknown, 0.5])
    assert [token.entropy_nats for token in tokens] == [None, 0.5]


@pytest.mark.parametrize("ids", [[], [1, 6, 6, 2, 7, 4, 9, 5], [5, 5, 5], [7, 8, 7]])
@pytest.mark.parametrize("text", ["", "def\n\n f\U0001f600()", "nothing of it", ")))"])
def test_the_pieces_are_the_beginning_of_the_text(text, ids):
    assert text.startswith("".join(token.text for token in placed_tokens(text, ids, TEXTS, ())))
