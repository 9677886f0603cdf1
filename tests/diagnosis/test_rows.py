import gzip
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.diagnosis import DataRow, read_rows, tokenize
from evalharness.diagnosis.data import data_files
from evalharness.diagnosis.data.data_files import stretches_of
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


ALPACA = "Write a response that appropriately completes the request.\n\n### Instruction:\nAdd one.\n\n"
TASK = {"instruction": "Add one.", "input": "", "output": "2"}


@pytest.mark.parametrize(
    ("record", "render", "row"),
    [
        (TASK, None, DataRow(f"Below is an instruction that describes a task. {ALPACA}### Response:\n", "2")),
        (
            TASK | {"input": "1"},
            None,
            DataRow(
                "Below is an instruction that describes a task, paired with an input that provides further context. "
                f"{ALPACA}### Input:\n1\n\n### Response:\n",
                "2",
            ),
        ),
        (TASK | {"input": "1"}, lambda turns, _: "|".join(t["content"] for t in turns), DataRow("Add one.\n1", "|2")),
        (TASK | {"prompt": "1 + 1 ="}, None, DataRow("1 + 1 =", "2")),
    ],
    ids=["alone", "with input", "chat template", "its own prompt"],
)
def test_rows_of_instructions_are_read_in_the_form_of_alpaca(tmp_path, record, render, row):
    path = write(tmp_path / "rows.jsonl", json.dumps(record))
    (read,) = read_rows(path, render=render)
    assert (read.prompt, read.completion) == (row.prompt, row.completion)


def test_a_key_that_is_named_is_read_instead_of_the_form_of_alpaca(tmp_path):
    path = write(tmp_path / "rows.jsonl", json.dumps(TASK))
    assert read_rows(path, "instruction", "output") == [DataRow("Add one.", "2")]


ASKED = {"role": "user", "content": "one?"}
ANSWERS = [[{"role": "assistant", "content": said}] for said in ("yes", "no")]


@pytest.mark.parametrize(
    ("record", "row"),
    [
        ({"prompt": "one?", "chosen": "yes", "rejected": "no"}, DataRow("one?", "yes")),
        ({"chosen": "one? yes", "rejected": "one? no"}, DataRow("", "one? yes")),
        (
            {"prompt": [ASKED], "chosen": ANSWERS[0], "rejected": ANSWERS[1]},
            DataRow("user:\none?\nassistant:\n", "yes\n"),
        ),
        (
            {"chosen": [ASKED, *ANSWERS[0]], "rejected": [ASKED, *ANSWERS[1]]},
            DataRow("user:\none?\nassistant:\n", "yes\n"),
        ),
        ({"prompt": "one?", "completion": "maybe", "chosen": "yes"}, DataRow("one?", "maybe")),
    ],
    ids=["texts", "whole texts", "turns", "whole conversations", "no pair"],
)
def test_of_a_pair_of_answers_the_preferred_one_is_read(tmp_path, record, row):
    assert read_rows(write(tmp_path / "pairs.jsonl", json.dumps(record))) == [row]


def test_a_key_that_is_named_says_which_answer_of_a_pair_is_read(tmp_path):
    file = write(tmp_path / "pairs.jsonl", '{"prompt": "one?", "chosen": "yes", "rejected": "no"}')
    assert read_rows(file, completion_key="rejected") == [DataRow("one?", "no")]


@pytest.mark.parametrize("key", ["completion", "solution", "response", "output"])
def test_the_usual_keys_are_known(tmp_path, key):
    file = write(tmp_path / "d.jsonl", json.dumps({"id": 1, "prompt": "p", key: "c"}), "", json.dumps({"text": "t"}))
    assert read_rows(file) == [DataRow("p", "c"), DataRow("", "t")]


def test_keys_can_be_named(tmp_path):
    file = write(tmp_path / "d.jsonl", json.dumps({"question": "q", "answer": "a", "prompt": "x", "completion": "y"}))
    assert read_rows(file, "question", "answer") == [DataRow("q", "a")]


def test_a_named_key_that_is_missing_is_an_error_and_no_other_is_taken(tmp_path, golden_text):
    file = write(tmp_path / "d.jsonl", json.dumps({"prompt": "x", "completion": "y", "text": "z"}))
    with pytest.raises(EvalHarnessError) as error:
        read_rows(file, None, "answer")
    golden_text(error)


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


def test_a_missing_or_empty_file_is_an_error(tmp_path, golden_text):
    with pytest.raises(EvalHarnessError) as error:
        read_rows(tmp_path / "none.jsonl")
    golden_text(error)
    with pytest.raises(EvalHarnessError) as error:
        read_rows(write(tmp_path / "d.jsonl", "", " "))
    golden_text(error)


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


def test_a_row_that_the_vocabulary_lacks_is_one_line_with_its_number(golden_text):
    with pytest.raises(EvalHarnessError) as error:
        ids_of([DataRow("a", "b"), DataRow("a", "☠")])
    golden_text(error)


def test_without_the_row_that_the_vocabulary_lacks_the_others_go_on_and_it_is_said(golden_text):
    said = []
    assert ids_of([DataRow("a", "b"), DataRow("a", "☠"), DataRow("☠", "b")], say=said.append) == [([97, 98], 1)]
    assert len(said) == 1
    golden_text(said[0])
    with pytest.raises(EvalHarnessError) as error:
        ids_of([DataRow("a", "☠")], say=said.append)
    golden_text(error)


@pytest.mark.parametrize("key", ["text", "content"])
def test_a_json_list_is_rows_too(tmp_path, key, golden_text):
    file = tmp_path / "d.json"
    file.write_text(json.dumps([{key: "a"}, {"prompt": "p", "completion": "c"}], indent=1), encoding="utf-8")
    assert read_rows(file) == [DataRow("", "a"), DataRow("p", "c")]
    file.write_text(json.dumps([{"text": "a"}, {"a": 1}]), encoding="utf-8")
    with pytest.raises(EvalHarnessError) as error:
        read_rows(file)
    golden_text(error)


def test_compressed_lines_are_read(tmp_path):
    file = tmp_path / "d.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"text": "a"}\n'))
    assert read_rows(file) == [DataRow("", "a")]


TURNS = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": "a"},
    {"role": "user", "content": [{"type": "text", "text": "r"}]},
    {"role": "assistant", "content": "b"},
]
SHARED = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]


def test_each_answer_of_the_assistant_is_a_completion_after_all_that_was_said(tmp_path):
    said = []
    file = write(tmp_path / "d.jsonl", json.dumps({"messages": TURNS}))
    assert read_rows(file, say=said.append) == [
        DataRow("system:\ns\nuser:\nq\nassistant:\n", "a\n"),
        DataRow("system:\ns\nuser:\nq\nassistant:\na\nuser:\nr\nassistant:\n", "b\n"),
    ]
    assert said == [
        "d.jsonl: 1 conversations with 2 answers of the assistant, rendered role by line, for want of a template"
    ]


@pytest.mark.parametrize(
    ("row", "keys"),
    [
        ({"conversations": SHARED}, ()),
        ({"dialog": SHARED}, ("dialog",)),
        ({"prompt": SHARED[:1], "completion": SHARED[1:]}, ()),
    ],
)
def test_conversations_go_by_several_names(tmp_path, row, keys):
    assert read_rows(write(tmp_path / "d.jsonl", json.dumps(row)), *keys) == [DataRow("user:\nq\nassistant:\n", "a\n")]


def test_a_chat_template_renders_and_writes_its_own_begin_token(tmp_path):
    def render(turns, answer_follows):
        return "^" + "".join(f"<{t['role'][0]}>{t['content']};" for t in turns) + ("<a>" if answer_follows else "")

    file = write(tmp_path / "d.jsonl", json.dumps({"messages": SHARED}))
    (row,) = read_rows(file, render=render)
    assert (row.prompt, row.completion) == ("^<u>q;<a>", "a;")
    assert ids_of([row], begin=(1,))[0][0] == [ord(c) for c in "^<u>q;<a>a;"]


def test_a_conversation_that_the_template_refuses_is_left_out_and_said(tmp_path, golden_text):
    def render(turns, answer_follows):
        if turns[0]["role"] == "system":
            raise ValueError("no system turn\nhere")
        return str(len(turns))

    said = []
    file = write(tmp_path / "d.jsonl", json.dumps({"messages": TURNS}), json.dumps({"conversations": SHARED}))
    assert len(read_rows(file, render=render, say=said.append)) == 1
    golden_text(said[0])
    with pytest.raises(EvalHarnessError) as error:
        read_rows(write(tmp_path / "e.jsonl", json.dumps({"messages": TURNS})), render=render)
    golden_text(error)


def test_running_text_is_cut_into_contexts_and_none_is_called_cut(tmp_path):
    file = tmp_path / "d.txt"
    file.write_text("abc\n\ndefgh", encoding="utf-8")
    rows = read_rows(file)
    assert rows == [DataRow("", "abc\n\ndefgh", running=True)]
    encoded = tokenize(rows, Characters(), context_length=5, begin=(1,), count_prompt=True)
    assert ["".join(map(chr, row.ids[1:])) for row in encoded] == ["abc\n", "\ndef", "gh"]
    assert all(row.ids[0] == 1 and not row.was_cut and row.row == 0 for row in encoded)


@given(st.lists(st.sampled_from(["a" * 9000, "b\n", "\n\n", " \n", "\n \n\n", "c"]), max_size=12).map("".join))
def test_stretches_of_a_text_are_the_text(text):
    assert "".join(stretches_of(text)) == text
    assert all(stretch for stretch in stretches_of(text))


def test_of_a_large_file_a_part_is_read_evenly_and_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(data_files, "MOST_ROWS", 10)
    said = []
    file = write(tmp_path / "d.jsonl", *(json.dumps({"text": str(i)}) for i in range(100)))
    assert [row.completion for row in read_rows(file, say=said.append)] == [str(i) for i in range(0, 100, 10)]
    assert said == ["d.jsonl: 10 of 100 rows are read, evenly drawn from the whole file"]
    monkeypatch.setattr(data_files, "MOST_BYTES", 70)
    assert len(read_rows(file)) == 5


def test_parquet_is_read_where_pyarrow_is_and_else_says_what_to_install(tmp_path, monkeypatch, golden_text):
    file = tmp_path / "d.parquet"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EvalHarnessError) as error:
        read_rows(file)
    golden_text(error)
    monkeypatch.undo()
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = {"prompt": ["p", "q"], "completion": ["c", "d"]}
    parquet.write_table(pyarrow.table(table), file)
    assert read_rows(file) == [DataRow("p", "c"), DataRow("q", "d")]
    parquet.write_table(pyarrow.table({"messages": [SHARED]}), file)
    assert read_rows(file) == [DataRow("user:\nq\nassistant:\n", "a\n")]
    file.write_bytes(b"no parquet")
    with pytest.raises(EvalHarnessError) as error:
        read_rows(file)
    golden_text(error, {"(?<=as parquet: ).*": "<what pyarrow says>"})
    with pytest.raises(EvalHarnessError) as error:
        read_rows(tmp_path / "none.parquet")
    golden_text(error, {"(?<=as data rows: ).*": "<what pyarrow says>"})
