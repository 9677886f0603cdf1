"""Rows of token ids: as text and as ids, with what counts in them."""

import json

import pytest
from scripted import problem, subject
from small_training import Characters

from evalharness.diagnosis.data.id_rows import each_id_text, holds_ids, read_id_rows
from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.probes.contamination import contamination
from evalharness.diagnosis.probes.split_overlap import split_overlap
from evalharness.diagnosis.subject import Split
from evalharness.errors import EvalHarnessError
from evalharness.records import NotTestable, RuledOut

IDS = Characters().encode("def f(): 1")
HEAD, TAIL = IDS[:8], IDS[8:]
MASK = [0] * 8 + [1, 1]
ROWS = {
    "labels": {"input_ids": IDS, "labels": [*[-100] * 8, *TAIL]},
    "a mask of the completion": {"input_ids": IDS, "completion_mask": MASK},
    "a mask of the assistant": {"input_ids": IDS, "assistant_masks": MASK},
    "padding on the right": {
        "input_ids": [*IDS, 0, 0],
        "labels": [*[-100] * 8, *TAIL, -100, -100],
        "attention_mask": [*[1] * 10, 0, 0],
    },
    "preferences": {"prompt_ids": HEAD, "chosen_ids": TAIL, "rejected_ids": IDS},
    "preferences of older versions": {
        "prompt_input_ids": HEAD,
        "chosen_input_ids": TAIL,
        "rejected_input_ids": IDS,
    },
    "a prompt and a completion": {"prompt_ids": HEAD, "completion_ids": TAIL},
}


def written(tmp_path, *rows):
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_does_not_count_before_the_first_target_is_the_prompt(tmp_path, row):
    file = written(tmp_path, row)
    assert holds_ids(file)
    found = read_id_rows(file, Characters(), 64)
    assert found.rows == (DataRow("def f():", " 1", rendered=True),)
    (encoded,) = found.encoded
    assert (encoded.ids, encoded.first_target, encoded.prompt_tokens, encoded.was_cut) == (tuple(IDS), 8, 8, False)


@pytest.mark.parametrize("context", [None, 6])
def test_all_ids_count_where_nothing_says_otherwise(tmp_path, context):
    (encoded,) = read_id_rows(written(tmp_path, {"input_ids": IDS}), Characters(), context).encoded
    assert (len(encoded.ids), encoded.first_target, encoded.prompt_tokens) == (context or 10, 1, 0)
    assert encoded.was_cut is (context is not None)


def test_each_answer_of_a_conversation_is_a_row_after_all_that_was_said(tmp_path):
    row = {"input_ids": IDS, "labels": [-100, -100, IDS[2], IDS[3], -100, -100, IDS[6], -100, -100, -100]}
    found = read_id_rows(written(tmp_path, row), Characters(), 64)
    assert [(len(r.ids), r.first_target, r.row) for r in found.encoded] == [(4, 2, 0), (7, 6, 0)]
    assert len(found.rows) == 1


def test_rows_of_which_nothing_fits_or_counts_are_no_targets(tmp_path):
    row = {"input_ids": IDS, "labels": [-100] * 9 + [3]}
    assert read_id_rows(written(tmp_path, row), Characters(), 5).encoded == ()
    nothing = {"input_ids": IDS, "labels": [-100] * 10}
    assert read_id_rows(written(tmp_path, nothing), Characters(), 64).encoded == ()


@pytest.mark.parametrize("row", [{"text": "x"}, {"input_ids": []}, {"input_ids": "abc"}, {"ids": [1]}, [1, 2]])
def test_rows_without_ids_are_none(tmp_path, row):
    assert not holds_ids(written(tmp_path, row))


@pytest.mark.parametrize(
    "rows",
    [
        [{"input_ids": [1, 10_000]}],
        [{"input_ids": IDS}, {"text": "x"}],
        [{"input_ids": IDS, "labels": [1]}],
        [{"prompt_ids": HEAD}, {"completion_mask": [1]}],
    ],
    ids=["an id that the tokenizer lacks", "a row of text among them", "labels of another length", "no completion"],
)
def test_broken_rows_name_the_file_and_the_row(tmp_path, rows):
    file = written(tmp_path, *rows)
    with pytest.raises(EvalHarnessError) as raised:
        read_id_rows(file, Characters(), 64)
    assert str(file) in str(raised.value)
    assert "line " in str(raised.value)


def test_rows_that_were_not_kept_leave_open_whether_a_problem_is_among_them(tmp_path):
    file = written(tmp_path, *({"row": i, "of": 40, "input_ids": Characters().encode("x = 1\n" * 9)} for i in range(4)))
    found = read_id_rows(file, Characters(), 64)
    assert found.not_kept == 36
    assert len(list(each_id_text(file, Characters()))) == 4
    problems = tuple(problem(f"p/{i}", f"def f{i}(a, b):\n") for i in range(3))
    for not_kept, outcome in ((0, RuledOut), (36, NotTestable)):
        train = Split(found.rows, found.encoded, "t", None, not_kept)
        assert isinstance(contamination(Measured(subject(problems=problems, train=train))), outcome)
    other = Split((DataRow("", "y = 2 + 3 * z\n" * 9),), (), "v")
    for not_kept, outcome in ((0, RuledOut), (36, NotTestable)):
        train = Split(found.rows, found.encoded, "t", None, not_kept)
        assert isinstance(split_overlap(Measured(subject(train=train, validation=other))), outcome)
