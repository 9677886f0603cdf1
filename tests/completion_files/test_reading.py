import gzip
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.completion_files import completion_files, read_completions
from evalharness.errors import CompletionFileError


def write(tmp_path, *lines, name="c.jsonl"):
    (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return tmp_path / name


def read(tmp_path, *lines):
    return read_completions(write(tmp_path, *lines)).completions


def test_completions_of_one_task_are_numbered_in_the_order_of_the_file(tmp_path):
    rows = [
        {"task_id": "a", "completion": "1"},
        {"task_id": "b", "completion": "2"},
        {"task_id": "a", "completion": "3"},
    ]
    found = read(tmp_path, *map(json.dumps, rows))
    assert [(c.task_id, c.completion_id, c.text) for c in found] == [("a", 0, "1"), ("b", 0, "2"), ("a", 1, "3")]
    assert [c.row for c in found] == rows


@pytest.mark.parametrize("key", ["completion", "output", "generated", "text"])
def test_the_usual_keys_are_known(tmp_path, key):
    (found,) = read(tmp_path, json.dumps({"task_id": "a", key: "x"}))
    assert (found.text, found.holds_prompt) == ("x", False)


def test_a_solution_holds_its_prompt(tmp_path):
    (found,) = read(tmp_path, json.dumps({"task_id": "a", "solution": "def f(): ..."}))
    assert found.holds_prompt


def test_a_completion_goes_before_the_whole_text(tmp_path):
    (found,) = read(tmp_path, json.dumps({"text": "whole", "completion": "end"}))
    assert found.text == "end"


def test_a_key_can_be_named_and_then_no_other_is_taken(tmp_path, golden_text):
    file = write(tmp_path, json.dumps({"completion": "x", "mine": "y"}), json.dumps({"completion": "x"}))
    with pytest.raises(CompletionFileError) as error:
        read_completions(file, "mine")
    golden_text(error)


@pytest.mark.parametrize(("row", "task_id"), [({"index": 7}, "7"), ({"id": "q"}, "q"), ({}, "2")])
def test_the_id_may_have_other_names_or_be_the_line(tmp_path, row, task_id):
    (found,) = read(tmp_path, "", json.dumps({**row, "text": "x"}))
    assert found.task_id == task_id


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"completion": "x"', "line 3 is not JSON"),
        ("[1]", "line 3 is a list, expected an object"),
        ("{}", "line 3 has the keys none; expected a text under completion"),
        ('{"completion": 3}', "line 3 has a number under completion, expected a text"),
        ('{"task_id": "a", "completion": null}', "line 3 has null under completion, expected a text"),
        ("[" * 100_000, "line 3 is not JSON"),
    ],
)
def test_a_broken_line_is_one_line_with_its_number(tmp_path, line, message):
    with pytest.raises(CompletionFileError, match=message) as raised:
        read_completions(write(tmp_path, '{"completion": "fine"}', "", line))
    assert "\n" not in str(raised.value)


def test_a_compressed_file_is_read(tmp_path):
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"completion": "x"}\n'))
    assert read_completions(tmp_path / "c.jsonl.gz").completions[0].text == "x"


@pytest.mark.parametrize(
    "damage", [lambda data: b"no gzip", lambda data: data[:-9], lambda data: data[:12] + b"\xff" * 9]
)
def test_a_damaged_compressed_file_is_one_line(tmp_path, damage, golden_text):
    (tmp_path / "c.jsonl.gz").write_bytes(damage(gzip.compress(b'{"completion": "x"}\n' * 50)))
    with pytest.raises(CompletionFileError) as raised:
        read_completions(tmp_path / "c.jsonl.gz")
    golden_text(raised)
    assert "\n" not in str(raised.value)


def test_a_missing_or_empty_file_is_an_error(tmp_path, golden_text):
    with pytest.raises(CompletionFileError) as error:
        read_completions(tmp_path / "none.jsonl")
    golden_text(error)
    with pytest.raises(CompletionFileError) as error:
        read_completions(write(tmp_path, ""))
    golden_text(error)


def test_separators_within_a_string_end_no_line_and_surrogates_survive(tmp_path):
    text = "a\u2028b\x85c"
    (found,) = read(tmp_path, json.dumps({"text": text}, ensure_ascii=False))
    assert found.text == text
    (found,) = read(tmp_path, '{"text": "\\ud800"}')
    assert found.text == "\ud800"


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    (tmp_path / "c.jsonl").write_bytes(b"\xef\xbb\xbf" + b'{"text": "x"}\n')
    assert read_completions(tmp_path / "c.jsonl").completions[0].text == "x"


def test_a_whole_number_of_a_completion_is_kept(tmp_path):
    found = read(tmp_path, '{"task_id": "a", "completion_id": 7, "completion": "x"}')
    assert [c.completion_id for c in found] == [7]


def test_what_a_row_says_beside_its_text_is_carried(tmp_path):
    row = {
        "index": 3,
        "prompt": "def f():",
        "completion": "x",
        "token_ids": [4, 5],
        "token_entropy_nats": [0.5, 1],
        "finish_reason": "length",
    }
    (found,) = read(tmp_path, json.dumps(row))
    assert (found.prompt, found.token_ids, found.token_entropy_nats) == ("def f():", (4, 5), (0.5, 1))
    assert (found.stop_reason, found.number, found.form) == ("max_new_tokens", 1, "texts")


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({"token_ids": "1 2"}, "line 1 has a text under token_ids, expected a list of numbers"),
        ({"token_ids": [1, "2"]}, "line 1 has a text among token_ids, expected whole numbers"),
        ({"token_ids": [1, 2.0]}, "line 1 has a number with a fraction among token_ids, expected whole numbers"),
        ({"token_ids": [True]}, "line 1 has a boolean among token_ids"),
        ({"token_ids": [1, None]}, "line 1 has null among token_ids"),
        ({"token_ids": [1, -2]}, "line 1 has the token id -2"),
        ({"token_ids": [2**63]}, "line 1 has the token id 9223372036854775808"),
        ({"token_entropy_nats": {"0": 1}}, "line 1 has an object under token_entropy_nats"),
        ({"token_ids": [1, 2], "token_entropy_nats": [0.5]}, "line 1 has 2 token_ids and 1 token_entropy_nats"),
    ],
)
def test_token_ids_of_a_wrong_type_are_one_line(tmp_path, tokens, message):
    with pytest.raises(CompletionFileError, match=message):
        read(tmp_path, json.dumps({"completion": "x", **tokens}))


def test_lines_of_different_tools_are_each_read_by_what_they_have(tmp_path):
    rows = [
        {"task_id": "a", "completion": "1"},
        {"task_id": "a", "solution": "2"},
        {"doc_id": 0, "doc": {}, "resps": [["3"]]},
        {"output": "4"},
    ]
    file = read_completions(write(tmp_path, *map(json.dumps, rows)))
    assert [c.text for c in file.completions] == ["1", "2", "3", "4"]
    assert file.forms == {"human-eval": 1, "EvalPlus": 1, "lm-evaluation-harness": 1, "texts": 1}


def test_bytes_that_are_no_utf8_are_kept_and_their_lines_are_named(tmp_path):
    (tmp_path / "c.jsonl").write_bytes(b'{"text": "fine"}\n{"text": "\xff"}\n{"text": "\xfe\xff"}\n')
    file = read_completions(tmp_path / "c.jsonl")
    assert [c.text.encode("utf-8", "surrogateescape") for c in file.completions] == [b"fine", b"\xff", b"\xfe\xff"]
    assert file.notes == ("2 lines are not valid UTF-8 (first: line 2); the bytes are kept as they are",)


def test_ten_million_characters_in_one_completion_are_read(tmp_path):
    (found,) = read(tmp_path, json.dumps({"text": "x = 1\n" * 1_700_000}))
    assert len(found.text) == 10_200_000


OWN = {
    "task_id": "a",
    "completion": "x",
    "completion_id": 0,
    "token_ids": [1],
    "stop_reason": "end_token",
    "decoding": "greedy",
    "token_entropy_nats": [0.1],
}


def test_a_torn_last_line_of_evalharness_own_files_is_left_out_and_said(tmp_path):
    (tmp_path / "c.jsonl").write_text(json.dumps(OWN) + "\n" + json.dumps(OWN)[:40])
    file = read_completions(tmp_path / "c.jsonl")
    assert len(file.completions) == 1
    assert file.notes == ("line 2 was torn off while it was written, and is left out",)


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_torn_line_of_another_tools_file_is_an_error_with_its_number(tmp_path, end, golden_text):
    (tmp_path / "c.jsonl").write_text('{"completion": "x"}\n{"completion": "to' + end)
    with pytest.raises(CompletionFileError) as error:
        read_completions(tmp_path / "c.jsonl")
    golden_text(error)


def test_a_broken_line_within_evalharness_own_files_is_an_error(tmp_path, golden_text):
    (tmp_path / "c.jsonl").write_text(json.dumps(OWN) + "\n" + json.dumps(OWN)[:40] + "\n" + json.dumps(OWN) + "\n")
    with pytest.raises(CompletionFileError) as error:
        read_completions(tmp_path / "c.jsonl")
    golden_text(error)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_list_of_rows_is_read_as_its_rows(tmp_path, indent, golden_text):
    rows = [{"id": "a", "output": "1"}, {"id": "b", "output": "2"}]
    (tmp_path / "c.json").write_text(json.dumps(rows, indent=indent))
    assert [(c.task_id, c.text) for c in read_completions(tmp_path / "c.json").completions] == [("a", "1"), ("b", "2")]
    (tmp_path / "c.json").write_text(json.dumps([*rows, {"id": "c"}], indent=indent))
    with pytest.raises(CompletionFileError) as error:
        read_completions(tmp_path / "c.json")
    golden_text(error)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": 1, "b": {"c": 2}}, "has the keys a, b; expected a text under completion"),
        ({f"key{i}": i for i in range(40)}, r"key11, …; expected"),
        (["a", "b"], "is a list, expected an object, or a list of lists of texts"),
        ([], "is a list, expected"),
        (7, "is a int, expected"),
        ({"results": {}, "configs": {}}, "results of lm-evaluation-harness, and no completions; they are in samples_"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_file_without_completions_says_what_it_has(tmp_path, content, message, indent):
    (tmp_path / "c.json").write_text(json.dumps(content, indent=indent))
    with pytest.raises(CompletionFileError, match=message):
        read_completions(tmp_path / "c.json")


def test_a_damaged_json_file_is_one_line_with_the_place(tmp_path, golden_text):
    (tmp_path / "c.json").write_text(json.dumps([{"output": "x"}] * 3, indent=2)[:-9])
    with pytest.raises(CompletionFileError) as error:
        read_completions(tmp_path / "c.json")
    golden_text(error)


def outcome(data):
    """The completions of a file with these bytes, or the line that says why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.jsonl"
        path.write_bytes(data)
        try:
            return read_completions(path).completions
        except CompletionFileError as error:
            return str(error)


def is_completions_or_one_line(found):
    if isinstance(found, str):
        return "c.jsonl" in found and "\n" not in found
    return len(found) > 0 and all(isinstance(completion.text, str) for completion in found)


@given(st.binary(max_size=200) | st.text(alphabet='[]{}":,task_idevlrps01\n ', max_size=80).map(str.encode))
def test_any_bytes_are_completions_or_one_line(data):
    assert is_completions_or_one_line(outcome(data))


TOOLS = ("task_id", "completion", "solution", "text", "doc_id", "doc", "resps", "arguments", "filter", "eval")
OURS = ("record", "key", "prompt", "token_ids", "decoding", "token_entropy_nats", "stop_reason", "version", "status")
KEYS = st.sampled_from([*TOOLS, *OURS])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4))
def test_any_json_is_completions_or_one_line(values):
    assert is_completions_or_one_line(outcome("".join(json.dumps(value) + "\n" for value in values).encode()))


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_every_text_comes_back_as_it_was_written(texts):
    lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
    assert [completion.text for completion in outcome(lines.encode())] == texts


def test_a_folder_of_a_run_stands_for_its_completions(tmp_path):
    (tmp_path / "completions").mkdir()
    files = [write(tmp_path / "completions", "{}", name=f"{name}.jsonl") for name in ("a", "b")]
    write(tmp_path, "{}", name="log.jsonl")
    assert completion_files([tmp_path, files[0]]) == files


def test_a_folder_without_completions_is_one_line(tmp_path, golden_text):
    with pytest.raises(CompletionFileError) as error:
        completion_files([tmp_path])
    golden_text(error)
