"""The report of one scored step, made again from its records alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import report_example as example
from click.testing import CliRunner
from shipped_records import shipped_records

from evalharness.commands.group import cli
from evalharness.errors import StoreError
from evalharness.pipeline import renew_report
from evalharness.pipeline.step_report import keep_evidence, write_step_report
from evalharness.report.parts import Figure
from evalharness.runs import paths, scorecard_json
from evalharness.runs import record_rows as rows
from evalharness.runs.folder import RunFolder
from evalharness.runs.run_record import RunRecord, write_run_record


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A step as a score leaves it."""
    card, evidence = example.scorecard(), example.evidence()
    with RunFolder(tmp_path_factory.mktemp("run") / "step_600") as folder:
        for name, members in evidence.scored.items():
            for decoding in {scored.completion.decoding for scored in members}:
                group = paths.Group(name, decoding)
                of_group = [scored for scored in members if scored.completion.decoding == decoding]
                completions = [scored.completion for scored in of_group]
                rows.write_completions(folder, group, completions)
                rows.write_executions(folder, group, (c.text for c in completions), [s.execution for s in of_group])
                rows.write_analyses(folder, group, completions, [s.analysis for s in of_group])
        keep_evidence(folder, evidence)
        write_step_report(folder, card, evidence)
        folder.write(paths.SCORECARD, scorecard_json.to_json(card))
        return folder.path


def files_of(folder: Path) -> dict[str, bytes]:
    kept = [path for path in folder.rglob("*") if path.is_file() and path.name != paths.LOCK]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


def test_a_step_is_made_again_from_its_records_as_it_was(written: Path, tmp_path: Path) -> None:
    step = shutil.copytree(written, tmp_path / written.name)
    questions = tuple(example.evidence().questions.items())
    write_run_record(tmp_path, RunRecord("run", "runs", (), (), questions), [])
    for made in (paths.REPORT, paths.REPORT_PAGE):
        (step / made).unlink()
    shutil.rmtree(step / "figures")
    renewed = renew_report(step)
    assert renewed.path == step / paths.REPORT
    assert renewed.document
    before, after = files_of(written), files_of(step)
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == set()


def test_the_figures_of_a_step_are_written_as_asked(written: Path, tmp_path: Path) -> None:
    step = shutil.copytree(written, tmp_path / written.name)
    done = CliRunner().invoke(cli, ["report", str(step), "--figures", "pdf"])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(step / paths.REPORT)
    assert done.stderr, "what is done is said"
    drawn = {path.stem for path in (step / "figures").glob("*.pdf")}
    assert drawn == {path.stem for path in (step / "figures").glob("*.svg")}


def test_a_step_of_an_older_version_is_made_again_with_the_log_of_its_run(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("step_[2468]00", "humaneval.*")
    run = shutil.copytree(shipped_records() / "leaky", tmp_path / "leaky", ignore=ignored)
    step = run / "step_1000"
    (step / paths.STEP_LOG).unlink(missing_ok=True)
    renew_report(step)
    assert (step / "figures/losses.svg").is_file()
    assert (step / paths.REPORT_PAGE).is_file()


def test_a_figure_whose_data_an_older_version_did_not_keep_stays_in_the_report(written: Path, tmp_path: Path) -> None:
    step = shutil.copytree(written, tmp_path / written.name)
    for kept in (paths.STEP_LOG, paths.PASSAGE):
        (step / kept).unlink()
    document = renew_report(step).document
    shown = {part.path for part in document if isinstance(part, Figure)}
    assert {"figures/losses.svg", "figures/passage.svg"} <= shown
    assert shown == {f"figures/{path.name}" for path in (step / "figures").glob("*.svg")}


def test_a_model_that_gave_nan_has_a_report_and_a_page(written: Path, tmp_path: Path) -> None:
    step = shutil.copytree(written, tmp_path / "run" / written.name)
    for kind, nulls in (("completions", "token_entropy_nats"), ("analyses", "mean_nats")):
        file = step / kind / "warmup.greedy.jsonl"
        broken = [with_nulls(json.loads(line), nulls) for line in file.read_text().splitlines()]
        file.write_text("".join(json.dumps(row) + "\n" for row in broken))
    assert renew_report(step).path.is_file()
    assert renew_report(step.parent).path.is_file()


def with_nulls(row: dict, name: str) -> dict:
    """A row as it is written where the numbers of this name are NaN."""
    if name in row:
        row[name] = [None for _ in row[name]]
    elif (predictions := row["measures"]["predictions"]) is not None:
        predictions[name] = None
    return row


def test_a_record_that_is_missing_is_said(written: Path, tmp_path: Path) -> None:
    step = shutil.copytree(written, tmp_path / written.name)
    (step / paths.Group("warmup", "sampled").analyses).unlink()
    with pytest.raises(StoreError, match=r"warmup\.sampled"):
        renew_report(step)
