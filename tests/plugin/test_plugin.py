"""The pytest plugin, in sessions of its own as a user starts them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from os.path import relpath
from pathlib import Path

import pytest
from golden_text import lines_with
from plugin_sessions import ALONE, run, told
from pydantic import TypeAdapter, create_model  # noqa: F401 - see below
from scored_folder import Project

# A session within this one takes the modules away again that it imported, which costs a second and leaves halves.
import evalharness.models.torch
import evalharness.plugin.session  # noqa: F401

pytestmark = pytest.mark.xdist_group("scored project")


def test_checks_of_a_checkpoint_need_no_test_file(session: pytest.Pytester, project: Project) -> None:
    result = run(session, "-rs", checkpoint=project.collapsed)
    result.assert_outcomes(passed=1, failed=2, skipped=2)
    result.stdout.fnmatch_lines(["collected 5 items"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_failure_is_the_card_and_the_worst_completion_and_no_traceback(
    session: pytest.Pytester, project: Project
) -> None:
    text = run(session, "--evalharness-checks=no_mode_collapse", checkpoint=project.collapsed).stdout.str()
    for part in (
        f"no_mode_collapse does not hold for {project.collapsed}: collapsed: 100.0 % of sampled completions",
        "verdict      COLLAPSED",
        "cause        none found; ruled out: future_leak",
        f"report       {project.folder}/reports/collapsed/final/report.md",
        "the worst completion, own/0, greedy: newline loops",
        "⏎",
    ):
        assert part in text
    assert "Traceback" not in text
    assert not re.search(r"\.py:\d+", text)


def test_a_check_without_its_data_or_baseline_is_skipped_and_says_so(
    session: pytest.Pytester, project: Project, golden_text
) -> None:
    text = run(session, "-rs", checkpoint=project.sound).stdout.str()
    golden_text(lines_with("SKIPPED", text.replace(relpath(project.sound), "<sound>")))


def test_the_summary_has_a_line_for_each_checkpoint(session: pytest.Pytester, project: Project, golden_text) -> None:
    both = f"--evalharness-checkpoint={project.sound}"
    result = run(session, both, "-q", "--evalharness-checks=loss_is_honest", checkpoint=project.collapsed)
    lines = result.stdout.str().splitlines()
    begun = next(i for i, line in enumerate(lines) if re.fullmatch("=+ evalharness =+", line))
    golden_text(lines[begun + 1 : begun + 3])
    result.assert_outcomes(passed=2)


def test_a_fixture_scores_for_ones_own_test(session: pytest.Pytester, project: Project) -> None:
    session.makepyfile(
        f"""
        def test_it(evalharness_score):
            card = evalharness_score({str(project.sound)!r}, problems={str(project.folder / "own.jsonl")!r})
            assert card.verdict != "collapsed"
            assert card.pass_at_k["own"]["greedy"]["1"].estimate == 0

        def test_another(evalharness_score):
            assert evalharness_score({str(project.collapsed)!r}).verdict == "healthy"
        """
    )
    result = run(session)
    result.assert_outcomes(passed=1, failed=1)
    text = result.stdout.str()
    assert "assert 'collapsed' == 'healthy'" in text
    assert text.count("verdict      COLLAPSED") == 1


def test_a_fixture_holds_to_checks_by_name(session: pytest.Pytester, project: Project, golden_text) -> None:
    session.makepyfile(
        f"""
        def test_all(evalharness_check):
            evalharness_check({str(project.sound)!r}, "no_mode_collapse", "loss_is_honest")

        def test_collapse(evalharness_check):
            evalharness_check({str(project.collapsed)!r}, "loss_is_honest", "no_mode_collapse")

        def test_skipped(evalharness_check):
            evalharness_check({str(project.sound)!r}, "not_contaminated")

        def test_unknown(evalharness_check):
            evalharness_check({str(project.sound)!r}, "no_colapse")

        def test_fall(evalharness_check):
            evalharness_check({str(project.sound)!r}, "pass_rate_not_below_baseline", baseline="b.json", level=0.5)
        """
    )
    shutil.copy(project.folder / "sound.json", session.path / "b.json")
    result = run(session)
    result.assert_outcomes(passed=1, failed=3, skipped=1)
    text = result.stdout.str()
    golden_text(lines_with("could not be evaluated", told(text)))  # a baseline that passes nothing
    golden_text(lines_with("does not hold", told(text)))
    golden_text(lines_with("no_colapse", told(text)))
    assert not re.search(r"\.py:\d+: (Failed|Error)", text)


def test_a_wrong_setting_in_a_test_is_one_line(session: pytest.Pytester, project: Project, golden_text) -> None:
    session.makepyfile(
        f"""
        def test_name(evalharness_score):
            evalharness_score({str(project.sound)!r}, sampels=3)

        def test_value(evalharness_score):
            evalharness_score({str(project.sound)!r}, temperature=0)

        def test_path(evalharness_score):
            evalharness_score("nowhere")
        """
    )
    result = run(session)
    result.assert_outcomes(failed=3)
    text = result.stdout.str()
    golden_text(told(text), THERE)
    assert "Traceback" not in text


THERE = {r"\(there: .*\)": "(there: …)"}
"""Files of pytest lie there, too."""

BAD_OPTIONS = {
    "no checkpoint": ["--evalharness-checkpoint=nowhere"],
    "a wrong value": ["--evalharness-samples=many"],
    "a value out of range": ["--evalharness-temperature=0"],
    "an unknown check": ["--evalharness-checks=no_colapse"],
    "a level above 1": ["--evalharness-level=5"],
    "a broken baseline": ["--evalharness-baseline=pytest.ini"],
    "a baseline from another version": ["--evalharness-baseline=old.json"],
    "a mistyped baseline": ["--evalharness-baseline=typo.json"],
    "no baseline to update": ["--evalharness-update-baseline"],
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_options_are_one_clear_error_before_anything_is_collected(
    session: pytest.Pytester, project: Project, name: str, golden_text
) -> None:
    options = BAD_OPTIONS[name]
    session.path.joinpath("old.json").write_text('{"evalharness_baseline": 0}')
    result = run(session, *options, checkpoint=project.sound)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    errors = [line for line in result.stderr.str().splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1
    golden_text(errors, THERE)


def test_a_checkpoint_deleted_between_collection_and_run_fails_in_one_line(
    session: pytest.Pytester, project: Project, golden_text
) -> None:
    shutil.copytree(project.sound, session.path / "gone")
    session.makeconftest(
        """
        import shutil

        def pytest_collection_finish(session):
            shutil.rmtree("gone")
        """
    )
    result = run(session, "--evalharness-checks=loss_is_honest", checkpoint=Path("gone"))
    result.assert_outcomes(failed=1)
    golden_text(told(result.stdout.str()), THERE)


def test_reports_that_can_not_be_written_fail_in_one_line(session: pytest.Pytester, project: Project) -> None:
    session.path.joinpath("file").touch()
    checks = "--evalharness-checks=loss_is_honest"
    result = run(session, checks, "--evalharness-out=file/reports", checkpoint=project.sound)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["evalharness: file/reports/*: can't be written: Not a directory"])


def test_a_baseline_of_another_seed_fails_with_the_reason(
    session: pytest.Pytester, project: Project, golden_text
) -> None:
    other = json.loads((project.folder / "sound.json").read_text())
    other["protocol"]["seed"] = 7
    session.path.joinpath("b.json").write_text(json.dumps(other))
    result = run(session, "--evalharness-baseline=b.json", "-k", "baseline", checkpoint=project.sound)
    result.assert_outcomes(failed=1, deselected=4)
    golden_text(told(result.stdout.str()))


def test_updating_a_baseline_writes_it_and_fails_that_run(
    session: pytest.Pytester, project: Project, golden_text
) -> None:
    options = ["--evalharness-baseline=new.json", "-k", "baseline"]
    first = run(session, *options, "--evalharness-update-baseline", checkpoint=project.sound)
    first.assert_outcomes(failed=1, deselected=4)
    golden_text(lines_with("new.json", told(first.stdout.str())))
    second = run(session, *options, checkpoint=project.sound)
    second.assert_outcomes(failed=1, deselected=4)
    golden_text(lines_with("the baseline", told(second.stdout.str())))  # no score can fall below it


def test_the_marker_selects_the_checks_alone(session: pytest.Pytester, project: Project) -> None:
    session.makepyfile("def test_mine(): pass")
    strict = ["--strict-markers", "-m", "evalharness", "--evalharness-checks=loss_is_honest"]
    run(session, *strict, checkpoint=project.sound).assert_outcomes(passed=1, deselected=1)
    assert "@pytest.mark.evalharness:" in run(session, "--markers").stdout.str()


def test_collecting_alone_scores_nothing(session: pytest.Pytester, project: Project) -> None:
    result = run(session, "--collect-only", "-q", "--evalharness-out=never", checkpoint=project.sound)
    assert f"{project.sound}::no_mode_collapse" in result.stdout.str()
    assert not session.path.joinpath("never").exists()


def test_it_stops_at_the_first_failure_and_runs_the_last_failed(session: pytest.Pytester, project: Project) -> None:
    own = f"--evalharness-checkpoint={project.collapsed}"
    session.runpytest_subprocess(*ALONE, own, "-x").assert_outcomes(failed=1)
    again = session.runpytest_subprocess(*ALONE, own, "--lf")
    again.assert_outcomes(failed=1, deselected=4)


def test_a_junit_file_has_the_checkpoint_as_properties(session: pytest.Pytester, project: Project, golden_text) -> None:
    run(session, "--junitxml=j.xml", "--evalharness-checks=no_mode_collapse", checkpoint=project.collapsed)
    case = ET.parse(session.path / "j.xml").getroot().find(".//testcase")
    assert case is not None
    found = {item.get("name"): item.get("value") for item in case.iter("property")}
    assert found["evalharness_verdict"] == "collapsed"
    golden_text(found["evalharness_own_greedy_pass_at_1"])
    golden_text(lines_with("worst", str(case.findtext("failure"))))


@pytest.mark.parametrize("colour", ["yes", "no"])
def test_with_and_without_colour_the_card_is_the_same(
    session: pytest.Pytester, project: Project, colour: str, golden_text
) -> None:
    options = [f"--color={colour}", "--evalharness-checks=no_mode_collapse"]
    text = run(session, *options, checkpoint=project.collapsed).stdout.str()
    assert ("\x1b[" in text) == (colour == "yes")
    golden_text(lines_with("verdict  ", re.sub(r"\x1b\[[\d;]*m", "", text)))


def test_workers_of_xdist_score_a_checkpoint_once(session: pytest.Pytester, project: Project) -> None:
    shutil.copytree(project.sound, session.path / "counted")
    code = session.path / "counted" / "my_model.py"
    counting = code.read_text().replace(
        "    return Model(", "    open('../builds.txt', 'a').write('built\\n')\n    return Model("
    )
    builds = session.path / "builds.txt"
    code.write_text(counting.replace("../builds.txt", str(builds)))
    ini = project.ini.replace(f"evalharness_out = {project.folder / 'reports'}", "evalharness_out = here")
    session.path.joinpath("pytest.ini").write_text(ini)
    session.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("i", range(4))
        def test_it(evalharness_score, i):
            assert evalharness_score("counted").verdict != "collapsed"
        """
    )
    result = session.runpytest_subprocess(*ALONE, "-n", "2", "--dist", "load", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=4)
    assert builds.read_text() == "built\n"
    assert result.stdout.str().count("counted: DEGENERATING") == 1


def test_loading_the_plugin_imports_nothing_heavy_and_writes_nothing(tmp_path: Path) -> None:
    heavy = (
        "torch",
        "numpy",
        "scipy",
        "pydantic",
        "rich",
        "click",
        "evalharness.pipeline",
        "evalharness.settings.manifest",
    )
    code = (
        "import sys, pytest; code = pytest.main(['-q', '-p', 'no:cacheprovider', '--collect-only']); "
        f"print([name for name in {heavy!r} if name in sys.modules], 'evalharness.plugin.hooks' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].endswith("True")
    assert "evalharness" not in "".join(done.stdout.splitlines()[:-1])
    loaded = done.stdout.splitlines()[-1]
    assert loaded == "[] True"
    assert not list(tmp_path.iterdir())
