"""Several runs beside each other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import report_example
import run_example as example
from click.testing import CliRunner
from shipped_records import shipped_records

from evalharness.commands.report import report
from evalharness.records import Finding, LossPoint
from evalharness.report import versions_document
from evalharness.report.parts import BulletList, Code, Table, plain_text, spans_of
from evalharness.report.versions_report import HEADER
from evalharness.runs.json_values import plain

LEAK = Finding("future_leak", "cause", "It leaks.", {}, "Mask it.")


def run(name: str, step: int, losses: tuple[float, ...], *, verdict="collapsed", findings=(LEAK,), rank="8"):
    card = report_example.scorecard(verdict=verdict, findings=findings, loss=example.UNSEEN)
    logged = [plain(LossPoint(i, "validation", loss, "log")) for i, loss in enumerate(losses, 1)]
    facts = (("Method", "Adapter", "LoRA"), ("Method", "Rank", rank))
    return replace(example.run(example.frames({step: card}, losses=logged), facts=facts), name=name)


def rows(*runs) -> list[dict[str, str]]:
    (table,) = (part for part in versions_document(runs) if isinstance(part, Table))
    return [dict(zip(HEADER, map(plain_text, row), strict=True)) for row in table.rows]


def shared(*runs) -> list[str]:
    lists = [part for part in versions_document(runs) if isinstance(part, BulletList)]
    return [span.text for part in lists for item in part.items for span in spans_of(item) if isinstance(span, Code)]


def test_each_run_has_a_row_in_the_order_given_with_what_it_changed_and_what_came_of_it():
    first, second = rows(run("v2", 20, (2.0, 1.0)), run("v1", 10, (2.0, 3.0), verdict="healthy", findings=()))
    assert (first["Run"], second["Run"]) == ("v2", "v1")
    assert (first["Last step"], first["Method"], first["Verdict"]) == ("20", "LoRA, rank 8", "collapsed")
    assert (first["Cause"], second["Cause"]) == ("future_leak", "none found")
    assert ("lower" in first["Logged validation loss"], "higher" in second["Logged validation loss"]) == (True, True)
    assert first["Training rows"] == "not recorded"


def test_one_cause_of_several_failed_runs_is_named_once():
    assert shared(run("v1", 10, (2.0, 1.0)), run("v2", 20, (2.0, 1.0), rank="64")) == ["future_leak"]


def test_runs_that_did_not_fail_share_nothing():
    healthy = run("v2", 20, (2.0, 1.0), verdict="healthy", findings=())
    assert shared(run("v1", 10, (2.0, 1.0)), healthy) == []
    assert not any(isinstance(part, BulletList) for part in versions_document([healthy, healthy]))


def test_the_command_prints_several_runs_and_writes_nothing():
    folders = [str(shipped_records() / name) for name in ("leaky", "causal")]
    before = {path for folder in folders for path in Path(folder).rglob("*")}
    done = CliRunner().invoke(report, folders)
    assert done.exit_code == 0
    assert [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("| ")][2:] == [
        "leaky",
        "causal",
    ]
    assert {path for folder in folders for path in Path(folder).rglob("*")} == before


def test_the_figures_of_a_run_are_written_as_files_of_the_formats_asked_for(tmp_path):
    folder = tmp_path / "reports" / "leaky"
    shutil.copytree(shipped_records() / "leaky", folder)
    assert CliRunner().invoke(report, [str(folder), "--figures", "pdf"]).exit_code == 0
    figures = {path.suffix: path for path in (folder / "figures").iterdir()}
    assert set(figures) == {".svg", ".pdf"}
