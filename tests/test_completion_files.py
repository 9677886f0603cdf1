import gzip
import json

import pytest

from evalharness.completion_files import read_completions
from evalharness.errors import CompletionFileError


def write(tmp_path, *lines, name="c.jsonl"):
    (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return tmp_path / name


def test_completions_of_one_task_are_numbered_in_the_order_of_the_file(tmp_path):
    rows = [
        {"task_id": "a", "completion": "1"},
        {"task_id": "b", "completion": "2"},
        {"task_id": "a", "completion": "3"},
    ]
    found = read_completions(write(tmp_path, *map(json.dumps, rows)))
    assert [(c.task_id, c.completion_id, c.text) for c in found] == [("a", 0, "1"), ("b", 0, "2"), ("a", 1, "3")]
    assert [c.row for c in found] == rows


@pytest.mark.parametrize("key", ["completion", "output", "generated", "text"])
def test_the_usual_keys_are_known(tmp_path, key):
    (found,) = read_completions(write(tmp_path, json.dumps({"task_id": "a", key: "x"})))
    assert (found.text, found.has_prompt) == ("x", False)


def test_a_solution_holds_its_prompt(tmp_path):
    (found,) = read_completions(write(tmp_path, json.dumps({"task_id": "a", "solution": "def f(): ..."})))
    assert found.has_prompt


def test_a_completion_goes_before_the_whole_text(tmp_path):
    (found,) = read_completions(write(tmp_path, json.dumps({"text": "whole", "completion": "end"})))
    assert found.text == "end"


def test_a_key_can_be_named_and_then_no_other_is_taken(tmp_path):
    file = write(tmp_path, json.dumps({"completion": "x", "mine": "y"}), json.dumps({"completion": "x"}))
    with pytest.raises(CompletionFileError, match="line 2 has the keys completion; expected a text under mine"):
        read_completions(file, "mine")


@pytest.mark.parametrize(("row", "task_id"), [({"index": 7}, "7"), ({"id": "q"}, "q"), ({}, "2")])
def test_the_id_may_have_other_names_or_be_the_line(tmp_path, row, task_id):
    (found,) = read_completions(write(tmp_path, "", json.dumps({**row, "text": "x"})))
    assert found.task_id == task_id


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"completion": "x"', "line 3 is not JSON"),
        ("[1]", "line 3 is a list, expected an object"),
        ("{}", "line 3 has the keys none"),
        ('{"completion": 3}', "line 3 has the keys completion; expected a text"),
        ("[" * 100_000, "line 3 is not JSON"),
    ],
)
def test_a_broken_line_is_one_line_with_its_number(tmp_path, line, message):
    with pytest.raises(CompletionFileError, match=message) as raised:
        read_completions(write(tmp_path, '{"completion": "fine"}', "", line))
    assert "\n" not in str(raised.value)


def test_a_compressed_file_is_read(tmp_path):
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"completion": "x"}\n'))
    assert read_completions(tmp_path / "c.jsonl.gz")[0].text == "x"


@pytest.mark.parametrize(
    "damage", [lambda data: b"no gzip", lambda data: data[:-9], lambda data: data[:12] + b"\xff" * 9]
)
def test_a_damaged_compressed_file_is_one_line(tmp_path, damage):
    (tmp_path / "c.jsonl.gz").write_bytes(damage(gzip.compress(b'{"completion": "x"}\n' * 50)))
    with pytest.raises(CompletionFileError, match="can't be read") as raised:
        read_completions(tmp_path / "c.jsonl.gz")
    assert "\n" not in str(raised.value)


def test_a_missing_or_empty_file_is_an_error(tmp_path):
    with pytest.raises(CompletionFileError, match="can't be read"):
        read_completions(tmp_path / "none.jsonl")
    with pytest.raises(CompletionFileError, match="no completions"):
        read_completions(write(tmp_path, ""))


def test_separators_within_a_string_end_no_line_and_surrogates_survive(tmp_path):
    text = "a\u2028b\x85c"
    (found,) = read_completions(write(tmp_path, json.dumps({"text": text}, ensure_ascii=False)))
    assert found.text == text
    (found,) = read_completions(write(tmp_path, '{"text": "\\ud800"}'))
    assert found.text == "\ud800"


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    (tmp_path / "c.jsonl").write_bytes(b"\xef\xbb\xbf" + b'{"text": "x"}\n')
    assert read_completions(tmp_path / "c.jsonl")[0].text == "x"
