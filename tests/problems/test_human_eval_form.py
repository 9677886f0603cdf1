import gzip
import json

import pytest

from evalharness.errors import ProblemError
from evalharness.problems import human_eval_form

ROW = {
    "task_id": "mine/0",
    "prompt": "def one():\n",
    "entry_point": "one",
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
}


def write(path, *lines):
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def refusal(path) -> str:
    with pytest.raises(ProblemError) as caught:
        human_eval_form.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_a_row_becomes_a_problem_with_human_evals_stops(tmp_path):
    (problem,) = human_eval_form.load(write(tmp_path / "mine.jsonl", ROW))
    assert {key: getattr(problem, key) for key in ROW} == ROW
    assert problem.stop == human_eval_form.HUMAN_EVAL_STOP
    assert problem.judged == "apart"


def test_a_row_may_name_its_own_stops_or_none(tmp_path):
    path = write(tmp_path / "mine.jsonl", ROW | {"stop": ["\n\n"]}, ROW | {"task_id": "mine/1", "stop": []})
    assert [problem.stop for problem in human_eval_form.load(path)] == [("\n\n",), ()]


@pytest.mark.parametrize("judged", ["apart", "in_process"])
def test_a_row_may_say_where_it_is_judged(tmp_path, judged):
    (problem,) = human_eval_form.load(write(tmp_path / "mine.jsonl", ROW | {"judged": judged}))
    assert problem.judged == judged


def test_a_gzipped_file_gives_the_same_problems(tmp_path):
    plain = write(tmp_path / "mine.jsonl", ROW)
    zipped = tmp_path / "mine.jsonl.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert human_eval_form.load(zipped) == human_eval_form.load(plain)


def test_blank_lines_a_byte_order_mark_and_other_keys_are_let_through(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(f"\ufeff{json.dumps(ROW | {'level': 3})}\r\n\r\n  \n", encoding="utf-8")
    assert len(human_eval_form.load(path)) == 1


def test_an_entry_point_of_null_means_plain_asserts(tmp_path):
    (problem,) = human_eval_form.load(
        write(tmp_path / "mine.jsonl", ROW | {"entry_point": None, "test": "assert one() == 1"})
    )
    assert problem.entry_point is None


def test_a_line_separator_inside_a_string_does_not_split_the_row(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(ROW | {"prompt": "def one():  # \u2028\n"}, ensure_ascii=False), encoding="utf-8")
    assert "\u2028" in human_eval_form.load(path)[0].prompt


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"prompt": ""}, "line 1: prompt is empty"),
        ({"prompt": " \n"}, "line 1: prompt is empty"),
        ({"test": ""}, "line 1: test is empty"),
        ({"test": "assert one() == 1"}, "line 1: test does not define check(candidate)"),
        ({"entry_point": ""}, "line 1: entry_point is empty"),
        ({"entry_point": 3}, "line 1: entry_point is a number, expected a string"),
        ({"task_id": 3}, "line 1: task_id is a number, expected a string"),
        ({"task_id": None}, "line 1: task_id is null, expected a string"),
        ({"task_id": True}, "line 1: task_id is a boolean, expected a string"),
        ({"prompt": ["def one():"]}, "line 1: prompt is a list, expected a string"),
        ({"prompt": "def \ud83d():\n"}, "line 1: prompt holds a lone surrogate"),
        ({"stop": "\n\n"}, "line 1: stop is '\\n\\n', expected a list of non-empty strings"),
        ({"stop": ["\n", ""]}, "expected a list of non-empty strings"),
        ({"judged": "inside"}, 'line 1: judged is \'inside\', expected "apart" or "in_process"'),
        ({"judged": None}, 'line 1: judged is None, expected "apart" or "in_process"'),
        ({"judged": ["apart"]}, 'line 1: judged is [\'apart\'], expected "apart" or "in_process"'),
        ({"stop": None}, "line 1: stop is None, expected a list of non-empty strings"),
    ],
)
def test_a_wrong_value_is_named_with_its_line_and_what_was_expected(tmp_path, change, fault):
    assert fault in refusal(write(tmp_path / "mine.jsonl", ROW | change))


@pytest.mark.parametrize("key", human_eval_form.REQUIRED_KEYS)
def test_a_missing_key_is_named(tmp_path, key, golden_text):
    row = {name: value for name, value in ROW.items() if name != key}
    golden_text(refusal(write(tmp_path / "mine.jsonl", row)))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"task_id": "mine/1", "prompt"', "line 2: not JSON (Expecting ':' delimiter, column 31)"),
        ("[1, 2]", "line 2: a list, expected an object"),
        ("null", "line 2: null, expected an object"),
        ("[" * 100_000, "line 2: not JSON that can be read"),
        ("1" * 10_000, "line 2: not JSON that can be read"),
    ],
    ids=["torn", "list", "null", "too deep", "too long a number"],
)
def test_a_broken_line_is_named_by_its_number(tmp_path, line, fault):
    assert fault in refusal(write(tmp_path / "mine.jsonl", ROW, line))


@pytest.mark.parametrize("language", [[], {}, None, 1, "cobol"])
def test_a_language_that_is_none_is_a_fault_of_its_line(tmp_path, language):
    assert "language" in refusal(write(tmp_path / "mine.jsonl", ROW | {"language": language}))


def test_a_task_id_that_comes_twice_names_both_lines(tmp_path, golden_text):
    path = write(tmp_path / "mine.jsonl", ROW, "", ROW)
    golden_text(refusal(path))


def test_every_fault_is_counted_and_the_first_five_are_shown(tmp_path, golden_text):
    message = refusal(write(tmp_path / "mine.jsonl", "{", {}, ROW | {"prompt": 1, "test": ""}, "3", "{", "{", "{"))
    golden_text(message)


@pytest.mark.parametrize("content", ["", "\n\n"], ids=["empty", "blank"])
def test_a_file_without_problems_is_refused(tmp_path, content, golden_text):
    golden_text(refusal(write(tmp_path / "mine.jsonl", content)))


@pytest.mark.parametrize("name", [".", "absent.jsonl"], ids=["a folder", "nothing"])
def test_what_is_no_file_is_refused(tmp_path, name, golden_text):
    golden_text(refusal(tmp_path / name))


def test_bytes_that_are_no_text_are_refused_with_their_place(tmp_path, golden_text):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b'{"task_id": "\xff"}')
    golden_text(refusal(path))


@pytest.mark.parametrize("cut", [0, 4, 25, -3], ids=["plain text", "in the header", "in the data", "in the trailer"])
def test_a_gzip_file_that_is_none_or_is_torn_is_refused(tmp_path, cut, golden_text):
    path = tmp_path / "mine.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(ROW).encode())[:cut] if cut else b"{}")
    golden_text(refusal(path))
