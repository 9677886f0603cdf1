"""The command ``gate``: its exit codes as a shell sees them, and what it leaves for CI."""

from __future__ import annotations

import json
import os
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from gate_runs import Gate, InProcess
from golden_text import lines_with
from scored_folder import Project
from test_named_checks import CAUSAL, replace

from evalharness.errors import EvaluationError
from evalharness.gate import output as gate_output
from evalharness.gate.checks import no_mode_collapse
from evalharness.gate.decision import GateResult, save_baseline
from evalharness.pipeline import ScoreResult, freshness
from evalharness.pipeline.target import target_in
from evalharness.records import Incomplete
from evalharness.runs import paths, stamps
from evalharness.runs.files import append_file
from evalharness.settings.manifest import find_manifest
from evalharness.settings.score import resolve

pytestmark = pytest.mark.xdist_group("scored project")


def before_the_card(printed: str) -> str:
    """The lines of the checks. The card below them has figures that differ between machines."""
    return printed.split("\n\n", maxsplit=1)[0]


def test_what_holds_exits_with_0(gate: Gate, golden_text) -> None:
    done = gate("sound", "--no-collapse", "--max-loop-rate", "0.1", "--checks", "loss_is_honest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()[:-1]] == [
        ["ok", "no_mode_collapse:"],
        ["ok", "loss_is_honest:"],
        ["ok", "max_loop_rate:"],
    ]
    golden_text(done.stdout.splitlines()[-1])


def test_what_does_not_hold_exits_with_1(gate: Gate, golden_text) -> None:
    done = gate("collapsed", "--no-collapse")
    assert done.returncode == 1
    golden_text(before_the_card(done.stdout))


def test_what_could_not_be_evaluated_exits_with_3(gate: Gate, golden_text) -> None:
    done = gate("sound", "--checks", "not_contaminated")  # there are no training rows
    assert done.returncode == 3
    golden_text(before_the_card(done.stdout))


def test_a_model_that_returns_nan_exits_with_3(gate: Gate, project: Project, tmp_path: Path) -> None:
    shutil.copytree(project.sound, tmp_path / "nan")
    code = (tmp_path / "nan" / "my_model.py").read_text()
    last = "return self.head(x.transpose(1, 2))"
    (tmp_path / "nan" / "my_model.py").write_text(code.replace(last, f"{last} * float('nan')"))
    done = gate(
        tmp_path / "nan",
        "--no-collapse",
        "--trust",
        "--limit",
        "1",
        "--out",
        tmp_path / "out",
        "--json",
        "--junit",
        tmp_path / "nan.xml",
    )
    assert done.returncode == 3
    assert "NaN" in done.stderr.splitlines()[-1]
    error = ET.parse(tmp_path / "nan.xml").getroot().find("testsuite/testcase/error")
    assert error is not None
    assert "NaN" in error.attrib["message"]
    assert json.loads(done.stdout)["passed"] is False


def test_a_wrong_command_line_exits_with_2(gate: Gate, golden_text) -> None:
    done = gate("nowhere", "--no-collapse")
    assert done.returncode == 2
    golden_text(done.stderr, {r"\(there: .*\)": "(there: …)"})


def test_a_repeated_gate_scores_nothing_and_loads_no_torch(in_process: InProcess) -> None:
    had = "torch" in sys.modules
    code, out, err = in_process("sound", "--no-collapse")
    assert (code, err) == (0, "")
    assert ("torch" in sys.modules) == had
    assert out.count("\n") == 2


MADE_OF = {
    "weights": "sound/model.pt",
    "code": "sound/my_model.py",
    "data": "sound/val.jsonl",
    "log": "sound/train.log",
    "manifest": "sound/evalharness.toml",
    "problems": "own.jsonl",
}


def test_a_file_of_problems_is_the_same_however_it_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    near, far = (resolve({"problems": (name,)}, {}, {}) for name in ("own.jsonl", project.folder / "own.jsonl"))
    assert freshness.key_of(near) == freshness.key_of(far)


@pytest.mark.parametrize("change", MADE_OF)
def test_nothing_is_taken_for_what_changed(project: Project, tmp_path: Path, change: str) -> None:
    folder = shutil.copytree(project.folder, tmp_path / "project")
    asked = {"problems": (str(folder / "own.jsonl"),), "out": folder / "reports", "samples": 1, "max_new_tokens": 24}
    manifest = find_manifest(folder / "sound")
    options = resolve(asked, manifest.score, {})
    stamp = folder / "reports/sound/final" / paths.STAMP
    held = json.loads(stamp.read_text().replace(str(project.folder), str(folder)))
    stamp.write_text(json.dumps({**held, "options": freshness.key_of(options)}))
    assert freshness.kept_folder(target_in(folder / "sound", manifest, options)) is not None
    with (folder / MADE_OF[change]).open("ab") as file:
        file.write(b"step 7: val loss 1.0\n" if change == "log" else b"\n")
    assert freshness.kept_folder(target_in(folder / "sound", manifest, options)) is None


def test_without_anything_to_hold_to_it_does_not_pass(in_process: InProcess, golden_text) -> None:
    code, _, err = in_process("sound")
    assert code == 2
    golden_text(err)


def test_a_skipped_check_is_not_passed_over_beside_one_that_holds(in_process: InProcess) -> None:
    assert in_process("sound", "--no-collapse", "--checks", "not_contaminated")[0] == 3
    assert in_process("collapsed", "--no-collapse", "--checks", "not_contaminated")[0] == 1


def test_bounds_are_stricter_than_points(in_process: InProcess) -> None:
    assert in_process("sound", "--max-loop-rate", "0.1")[0] == 0
    assert in_process("sound", "--max-loop-rate", "0.1", "--judge-by", "bound")[0] == 1


def test_settings_come_from_the_environment_and_the_project_too(
    in_process: InProcess, project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVALHARNESS_MAX_LOOP_RATE", "0.5")
    assert in_process("collapsed")[0] == 1
    assert in_process("sound", "--max-loop-rate", "0.9")[0] == 0
    monkeypatch.delenv("EVALHARNESS_MAX_LOOP_RATE")
    (project.folder / "pyproject.toml").write_text("[tool.evalharness.gate]\nno_collapse = true\n")
    try:
        assert in_process("collapsed")[0] == 1
    finally:
        (project.folder / "pyproject.toml").unlink()


def test_a_fall_below_the_baseline_closes_the_gate(
    in_process: InProcess, project: Project, tmp_path: Path, golden_text
) -> None:
    better = json.loads((project.folder / "sound.json").read_text())
    passed = better["passed"]["own"]["sampled"]
    better["passed"]["own"]["sampled"] = dict.fromkeys(passed, "1 of 1")
    (tmp_path / "better.json").write_text(json.dumps(better))
    code, out, _ = in_process("sound", "--baseline", tmp_path / "better.json")
    assert code == 1
    golden_text(before_the_card(out))
    assert in_process("sound", "--baseline", tmp_path / "better.json", "--tolerance", "0.999")[0] == 1
    better["passed"]["own"]["sampled"] = {**passed, **dict.fromkeys(list(passed)[:4], "1 of 1")}
    (tmp_path / "few.json").write_text(json.dumps(better))
    code, out, _ = in_process("sound", "--baseline", tmp_path / "few.json")
    assert code == 3
    golden_text(before_the_card(out))


def test_a_baseline_is_held_to_before_it_is_renewed(
    in_process: InProcess, project: Project, tmp_path: Path, golden_text
) -> None:
    path = tmp_path / "baseline.json"
    assert in_process("collapsed", "--save-baseline", path, "--baseline", path)[0] == 0, "the first of its kind"
    better = json.loads(path.read_text())
    better["passed"]["own"]["sampled"] = dict.fromkeys(better["passed"]["own"]["sampled"], "1 of 1")
    path.write_text(json.dumps(better))
    code, out, _ = in_process("collapsed", "--save-baseline", path, "--baseline", path)
    assert code == 1
    golden_text(before_the_card(out))
    assert "1 of 1" not in path.read_text()


CAN_NOT_FAIL = {"--min-pass-at-1": "0", "--max-loop-rate": "1", "--tolerance": "1", "--level": "1e-9"}


@pytest.mark.parametrize("option", CAN_NOT_FAIL.items())
def test_a_condition_that_can_not_fail_is_refused(in_process: InProcess, option: tuple[str, str]) -> None:
    code, _, err = in_process("sound", "--no-collapse", *option)
    assert (code, option[0] in err) == (2, True)


def test_a_checkpoint_that_changed_is_noticed_where_its_size_and_time_did_not(project: Project, tmp_path: Path) -> None:
    folder = shutil.copytree(project.folder, tmp_path / "project")
    file = folder / "sound/model.pt"
    before, kept = file.stat(), stamps.contents_of([file])
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert stamps.states_of([file]) == {str(file): [before.st_size, before.st_mtime_ns]}
    assert stamps.contents_of([file]) != kept


def test_a_baseline_of_other_settings_is_refused_with_the_reason(
    in_process: InProcess, project: Project, tmp_path: Path, golden_text
) -> None:
    other = json.loads((project.folder / "sound.json").read_text())
    other["protocol"]["seed"] = 7
    (tmp_path / "other.json").write_text(json.dumps(other))
    code, _, err = in_process("sound", "--baseline", tmp_path / "other.json")
    assert code == 2
    golden_text(err)


def test_an_incomplete_score_makes_no_baseline_and_no_gate_pass(golden_text) -> None:
    scored = ScoreResult(
        replace(CAUSAL, incomplete=(Incomplete("execution", None, "3 completions could not be judged"),)),
        Path("reports"),
    )
    passing = no_mode_collapse(scored.scorecard)
    assert passing.outcome == "passed"
    assert GateResult((passing,), scored).exit_code == 3
    with pytest.raises(EvaluationError) as error:
        save_baseline(scored, Path("b.json"))
    golden_text(error)


BAD_INPUT = {
    "no baseline": ["sound", "--baseline", "none.json"],
    "a broken baseline": ["sound", "--baseline", "own.jsonl"],
    "a share above 1": ["sound", "--max-loop-rate", "5"],
    "an unknown check": ["sound", "--checks", "no_colapse"],
    "a setting of the score": ["sound", "--no-collapse", "--temperature", "0"],
    "an unknown option": ["sound", "--no-colapse"],
    "a folder that is a file": ["sound", "--no-collapse", "--junit", "own.jsonl/x.xml"],
    "reports in a file": ["sound", "--no-collapse", "--out", "own.jsonl"],
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_one_line_and_exits_with_2(in_process: InProcess, name: str, golden_text) -> None:
    code, _, err = in_process(*BAD_INPUT[name])
    assert code == 2
    golden_text(err)
    assert "Traceback" not in err


def test_json_has_every_check_and_how_it_ends(in_process: InProcess) -> None:
    code, out, _ = in_process("collapsed", "--no-collapse", "--checks", "loss_is_honest", "--json")
    found = json.loads(out)
    assert (code, found["exit_code"], found["passed"], found["verdict"]) == (1, 1, False, "collapsed")
    assert [(check["name"], check["outcome"]) for check in found["checks"]] == [
        ("no_mode_collapse", "failed"),
        ("loss_is_honest", "passed"),
    ]


def test_junit_has_a_case_for_each_check(in_process: InProcess, tmp_path: Path, golden_text) -> None:
    checks = ["--no-collapse", "--checks", "loss_is_honest,not_contaminated"]
    in_process("collapsed", *checks, "--junit", tmp_path / "ci" / "gate.xml")
    root = ET.parse(tmp_path / "ci" / "gate.xml").getroot()
    assert root.attrib == {"tests": "3", "failures": "1", "errors": "1"}
    cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {"no_mode_collapse": ["failure"], "loss_is_honest": [], "not_contaminated": ["error"]}
    properties = {item.get("name"): item.get("value") for item in root.iter("property")}
    assert properties["evalharness_verdict"] == "collapsed"
    golden_text(lines_with("worst", str(root.findtext(".//failure"))))


def test_a_step_summary_is_appended_without_images(
    in_process: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden_text
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    in_process("collapsed", "--no-collapse", "--checks", "loss_is_honest")
    text = summary.read_text()
    golden_text(text, {"(?s)```text.*?```": "<card>"})
    assert "![" not in text
    assert "<img" not in text


def test_a_step_summary_stays_under_its_limit(
    in_process: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden_text
) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    for free, kept in ((100, "gate failed\n"), (5, "")):
        summary.write_bytes(b"x" * (gate_output.SUMMARY_BYTES - free))
        code, _, err = in_process("collapsed", "--no-collapse")
        assert code == 1
        assert summary.stat().st_size <= gate_output.SUMMARY_BYTES
        assert kept in summary.read_text()
        golden_text(err)


def test_a_step_summary_that_can_not_be_written_does_not_change_how_it_ends(
    in_process: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden_text
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    code, _, err = in_process("sound", "--no-collapse")
    assert code == 0
    golden_text(err)


def test_a_file_is_appended_to_only_where_all_of_it_fits(tmp_path: Path) -> None:
    assert append_file(tmp_path / "f", "é", largest_bytes=2)
    assert not append_file(tmp_path / "f", "x", largest_bytes=2)
    assert (tmp_path / "f").read_text() == "é"
