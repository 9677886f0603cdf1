import keyword
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.diagnosis.losses.token_classes import TokenClass, character_classes, token_classes, token_offsets


class Pieces:
    """Each id is a piece of bytes; bytes that are no whole character are shown as such."""

    def __init__(self, *pieces):
        self.pieces, self.vocab_size = [p if isinstance(p, bytes) else p.encode() for p in pieces], len(pieces)

    def decode(self, ids):
        return b"".join(self.pieces[i] for i in ids).decode("utf-8", "replace")


def runs(text):
    found, begin = [], 0
    for kind, members in groupby(character_classes(text)):
        count = len(list(members))
        found.append((str(kind), text[begin : begin + count]))
        begin += count
    return found


def classes(*pieces, end=()):
    return [str(c) for c in token_classes(Pieces(*pieces), range(len(pieces)), frozenset(end))]


def test_a_function_is_read_as_what_it_is():
    assert runs('def f(a):\n    """Doc.\n    """\n    return a + 1.5e-3 # hi\n') == [
        ("keyword", "def"), ("blank", " "), ("name", "f"), ("punctuation", "("), ("name", "a"), ("punctuation", "):"),
        ("newline", "\n"), ("indentation", "    "), ("comment", '"""Doc.\n    """'), ("newline", "\n"),
        ("indentation", "    "), ("keyword", "return"), ("blank", " "), ("name", "a"), ("blank", " "),
        ("punctuation", "+"), ("blank", " "), ("literal", "1.5e-3"), ("blank", " "), ("comment", "# hi"),
        ("newline", "\n"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ('x = """never closed\n\n', ("literal", '"""never closed\n\n')),
        ('    """never closed\n\n', ("comment", '"""never closed\n\n')),
        ("x = 'broken off", ("literal", "'broken off")),
        ("x = [\n  '''in a list'''", ("literal", "'''in a list'''")),
        ("x = [\ndef f():\n '''doc'''", ("comment", "'''doc'''")),
        (r"'a\'b'", ("literal", r"'a\'b'")),
        ("rb'x'", ("literal", "rb'x'")),
        ("0xFF", ("literal", "0xFF")),
        ("naïve", ("name", "naïve")),
        ("a '# no comment'", ("literal", "'# no comment'")),
        ("}}))", ("punctuation", "}}))")),
    ],
)
def test_broken_code_is_read_to_its_end(text, last):
    assert runs(text)[-1] == last


def test_a_string_in_single_quotes_ends_with_its_line():
    assert runs("'open\nx") == [("literal", "'open"), ("newline", "\n"), ("name", "x")]


@given(st.text())
def test_every_character_of_any_text_has_a_class(text):
    assert len(character_classes(text)) == len(text)


@given(st.sampled_from(keyword.kwlist), st.sampled_from(["\n", " ", "("]))
def test_keywords_are_keywords_alone_and_names_within_longer_ones(word, after):
    assert character_classes(word + after)[0] == TokenClass.KEYWORD
    assert character_classes(word + "_" + after)[0] == TokenClass.NAME


def test_a_token_is_what_of_it_comes_first_that_is_not_white():
    pieces = ("def", " f", "():", "\n   ", " ", " return", " ", " 'a", "b'", "\n", "<end>")
    assert classes(*pieces, end=[10]) == [
        "keyword", "name", "punctuation", "newline", "indentation", "keyword", "blank", "literal", "literal", "newline",
        "end",
    ]  # fmt: skip


def test_a_part_of_a_character_has_the_class_of_the_character():
    eye = "é".encode()
    assert classes("# ", eye[:1], eye[1:], "\n") == ["comment", "comment", "comment", "newline"]
    snake = "🐍".encode()
    assert classes("x = '", *(snake[i : i + 1] for i in range(4)), "'") == ["name"] + 5 * ["literal"]


def test_offsets_hold_where_bytes_are_split_and_where_a_first_blank_is_dropped():
    eye = "é".encode()
    assert token_offsets(Pieces("a", eye[:1], eye[1:], "b"), range(4)) == ("aéb", [0, 1, 1, 2, 3])

    class Stripping(Pieces):
        def decode(self, ids):
            return super().decode(ids).removeprefix(" ")

    assert token_offsets(Stripping(" a", " b"), range(2)) == ("a b", [0, 1, 3])


def test_text_after_an_end_token_is_read_apart():
    assert classes("'open", "<end>", "x", end=[1]) == ["literal", "end", "name"]


@pytest.mark.parametrize("pieces", [[], ["<end>"], ["<end>", "<end>"], [b"\xff"], [""]])
def test_rows_without_text_have_as_many_classes_as_tokens(pieces):
    assert len(classes(*pieces, end=[i for i, p in enumerate(pieces) if p == "<end>"])) == len(pieces)
