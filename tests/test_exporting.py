"""``export``: logs that inspect_ai's own reader reads; where it is not installed, they skip."""

from __future__ import annotations

import sys

import pytest
from shipped_records import shipped_records

from evalharness.errors import EvalHarnessError
from evalharness.pipeline.exporting import export_inspect
from evalharness.records import Verdict
from evalharness.runs import paths
from evalharness.runs.record_rows import read_completions, read_executions

STEP = shipped_records() / "causal" / "step_1000"
GREEDY = paths.Group("warmup", "greedy")


@pytest.fixture
def logs(tmp_path):
    pytest.importorskip("inspect_ai")
    return {file.name: file for file in export_inspect(STEP, tmp_path / "logs")}


@pytest.mark.filterwarnings("ignore")
def test_inspects_own_reader_reads_every_completion_with_its_verdict(logs):
    from inspect_ai.log import read_eval_log

    log = read_eval_log(str(logs[f"causal_step_1000.{GREEDY}.eval"]))
    assert log.status == "success"
    texts = {(c.task_id, c.completion_id + 1): c.text for c in read_completions(STEP, GREEDY)}
    assert {(s.id, s.epoch): s.output.completion for s in log.samples} == texts
    passed = {(e.task_id, e.completion_id + 1) for e in read_executions(STEP, GREEDY) if e.verdict is Verdict.PASSED}
    assert {(s.id, s.epoch) for s in log.samples if s.scores["evalharness"].value == "C"} == passed


@pytest.mark.filterwarnings("ignore")
def test_a_log_that_is_there_is_not_written_over(logs, tmp_path):
    before = {name: file.read_bytes() for name, file in logs.items()}
    with pytest.raises(EvalHarnessError, match=r"is there already"):
        export_inspect(STEP, tmp_path / "logs")
    assert {name: file.read_bytes() for name, file in logs.items()} == before


def test_without_inspect_ai_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    monkeypatch.setitem(sys.modules, "inspect_ai.log", None)
    with pytest.raises(EvalHarnessError, match="pip install inspect_ai"):
        export_inspect(STEP, tmp_path)
    assert list(tmp_path.iterdir()) == []
