import json
from pathlib import Path

import pytest

from evalharness.diagnosis import DataRow, read_rows, tokenize
from evalharness.errors import EvalHarnessError


class Characters:
    vocab_size = 256

    def encode(self, text):
        if "☠" in text:
            raise ValueError("the character '☠' is not in the vocabulary")
        return [ord(c) for c in text]

    def decode(self, ids):
        return "".join(map(chr, ids))


class Merging(Characters):
    """Merges a newline with the indentation after it, as many tokenizers do."""

    def encode(self, text):
        return [300 if piece == "\n " else ord(piece) for piece in text.replace("\n ", "\0").replace("\0", "\u012c")]


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("key", ["completion", "solution", "response", "output"])
def test_the_usual_keys_are_known(tmp_path, key):
    file = write(tmp_path / "d.jsonl", json.dumps({"id": 1, "prompt": "p", key: "c"}), "", json.dumps({"text": "t"}))
    assert read_rows(file) == [DataRow("p", "c"), DataRow("", "t")]


def test_keys_can_be_named(tmp_path):
    file = write(tmp_path / "d.jsonl", json.dumps({"question": "q", "answer": "a", "prompt": "x", "completion": "y"}))
    assert read_rows(file, "question", "answer") == [DataRow("q", "a")]


def test_a_named_key_that_is_missing_is_an_error_and_no_other_is_taken(tmp_path):
    file = write(tmp_path / "d.jsonl", json.dumps({"prompt": "x", "completion": "y", "text": "z"}))
    with pytest.raises(
        EvalHarnessError, match=r"line 1 has the keys prompt, completion, text; expected prompt and answer"
    ):
        read_rows(file, None, "answer")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"prompt": "p"', "line 2 is not JSON"),
        ("[1]", "line 2 is a list, expected an object"),
        ('{"a": 1, "b": 2}', "line 2 has the keys a, b; expected prompt and completion, or text"),
        ("{}", "line 2 has the keys none"),
    ],
)
def test_a_broken_line_is_one_line_with_its_number(tmp_path, line, message):
    with pytest.raises(EvalHarnessError, match=message) as raised:
        read_rows(write(tmp_path / "d.jsonl", '{"text": "fine"}', line))
    assert "\n" not in str(raised.value)
    assert "d.jsonl" in str(raised.value)


def test_a_missing_or_empty_file_is_an_error(tmp_path):
    with pytest.raises(EvalHarnessError, match="can't be read as data rows"):
        read_rows(tmp_path / "none.jsonl")
    with pytest.raises(EvalHarnessError, match="no data rows"):
        read_rows(write(tmp_path / "d.jsonl", "", " "))


def test_line_separators_within_a_string_end_no_line(tmp_path):
    file = write(tmp_path / "d.jsonl", json.dumps({"text": "a\u2028b\x85c"}, ensure_ascii=False))
    assert read_rows(file) == [DataRow("", "a\u2028b\x85c")]


def ids_of(rows, **changes):
    how = {"context_length": None, "begin": (), "count_prompt": False} | changes
    return [(list(row.ids), row.first_target) for row in tokenize(rows, Characters(), **how)]


def test_prompt_and_completion_are_encoded_apart():
    (row,) = tokenize([DataRow("a\n", " b")], Merging(), context_length=None, begin=(), count_prompt=False)
    assert row.ids == (97, 10, 32, 98)
    (row,) = tokenize([DataRow("", "a\n b")], Merging(), context_length=None, begin=(), count_prompt=False)
    assert row.ids == (97, 300, 98)


@pytest.mark.parametrize(("count_prompt", "first"), [(True, 1), (False, 2)])
def test_the_prompt_counts_only_where_it_should(count_prompt, first):
    assert ids_of([DataRow("ab", "c")], count_prompt=count_prompt) == [([97, 98, 99], first)]


def test_begin_tokens_stand_first_and_are_no_targets():
    assert ids_of([DataRow("", "c")], begin=(1, 2)) == [([1, 2, 99], 2)]


def test_the_first_token_of_all_is_no_target():
    assert ids_of([DataRow("", "abc")]) == [([97, 98, 99], 1)]


def test_rows_are_cut_to_the_context_and_those_without_a_target_drop_out():
    data = [DataRow("abcd", "e"), DataRow("ab", "cde"), DataRow("", "x"), DataRow("a", "")]
    assert ids_of(data, context_length=4) == [([97, 98, 99, 100], 2)]


def test_a_row_that_the_vocabulary_lacks_is_one_line_with_its_number():
    with pytest.raises(EvalHarnessError, match="data row 2: the character '☠' is not in the vocabulary"):
        ids_of([DataRow("a", "b"), DataRow("a", "☠")])
