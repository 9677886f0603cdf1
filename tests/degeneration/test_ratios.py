import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.degeneration.ratios import compression, ratios


def test_lines_that_stood_before_are_counted_with_their_characters():
    measured = ratios("a = 1\nb = 2\na = 1\na = 1\n")
    assert measured.repeated_lines == 0.5
    assert measured.repeated_line_characters == 0.5


def test_blank_lines_are_lines():
    assert ratios("\n" * 10).repeated_lines == 0.9


def test_whitespace_counts():
    assert ratios("\n" * 200).seq_rep[0] == pytest.approx(1 - 1 / 200)


def test_the_commonest_n_gram_covers_each_character_once():
    assert ratios("ab " * 30).top_ngram_characters == pytest.approx((1, 89 / 90, 1))
    assert ratios("x y z").top_ngram_characters == (0, 0, 0)
    # "( )" as two elements: 6 of 10 characters; no three come back
    assert ratios("()a()b()cd").top_ngram_characters[0] == 0.6


def test_diversity_is_the_product_of_what_does_not_come_back():
    measured = ratios("def f(x):\n    return f(x) + f(x)\n")
    expected = 1.0
    for n in (2, 3, 4):
        expected *= 1 - measured.seq_rep[n - 1]
    assert measured.diversity == pytest.approx(expected)
    assert ratios("a b c d").diversity == pytest.approx((1 - 0) * 1 * 1, abs=0.5)


def test_compression_is_bytes_a_compressed_byte():
    text = "é" * 100
    assert compression(text) == 200 / len(zlib.compress(text.encode()))
    assert compression("") == 0
    assert compression("\udc80") > 0  # a byte that was no UTF-8


def test_an_empty_text_has_no_ratios():
    measured = ratios("")
    assert measured.seq_rep == (0, 0, 0, 0)
    assert (measured.diversity, measured.compression, measured.repeated_lines) == (0, 0, 0)
    assert measured.top_ngram_characters == (0, 0, 0)


@given(st.text("ab (\n", max_size=60))
def test_all_but_the_compression_are_shares(text):
    measured = ratios(text)
    shares = [*measured.seq_rep, measured.diversity, measured.repeated_lines, measured.repeated_line_characters]
    assert all(0 <= share <= 1 for share in [*shares, *measured.top_ngram_characters])
