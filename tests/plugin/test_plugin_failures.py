"""Where the plugin's reports lie and what its failures show, in sessions as a user starts them."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET

import pytest
from golden_text import lines_with
from plugin_sessions import QUICK, run, told
from scored_folder import Project

pytestmark = pytest.mark.xdist_group("scored project")

CARD = "verdict      COLLAPSED"


@pytest.mark.parametrize("settings", [QUICK, ("--evalharness-checks=loss_is_honest",)])
def test_checkpoints_of_one_name_have_a_folder_each_and_keep_it(
    session: pytest.Pytester, project: Project, settings: tuple[str, ...]
) -> None:
    for name in ("a", "c"):
        shutil.copytree(project.sound, session.path / name / "m")
    session.path.joinpath("pytest.ini").write_text(project.ini.replace(str(project.folder / "reports"), "here"))
    both = [f"--evalharness-checkpoint={name}/m" for name in ("a", "c")]
    first, again = (run(session, *both, *settings).stdout.str() for _ in range(2))
    reports = re.findall(r"^([ac])/m: .* (here/checks/\w+/m/final/report.md)$", first, re.MULTILINE)
    assert len(set(reports)) == len(dict(reports)) == len({report for _, report in reports}) == 2
    assert re.findall(r"^([ac])/m: .* (here/.*)$", again, re.MULTILINE) == reports
    for name, report in reports:
        assert f'"path": "{name}/m"' in (session.path / report).with_name("scorecard.json").read_text()
    written = {report: (session.path / report).stat().st_mtime_ns for _, report in reports}
    run(session, *both, *settings)
    assert written == {report: (session.path / report).stat().st_mtime_ns for _, report in reports}


def test_the_report_of_a_score_that_holds_is_taken(session: pytest.Pytester, project: Project) -> None:
    shutil.copytree(project.sound, session.path / "m")
    one = ["--evalharness-checks=loss_is_honest", f"--evalharness-out={session.path / 'r'}"]
    run(session, *one, checkpoint=session.path / "m")
    made = next(session.path.glob("r/checks/*/m"))
    made.rename(session.path / "r" / "m")
    assert "r/m/final/report.md" in run(session, *one, checkpoint=session.path / "m").stdout.str()


def test_checks_that_fail_for_one_checkpoint_show_its_card_once(session: pytest.Pytester, project: Project) -> None:
    session.makepyfile(
        f"""
        def test_check(evalharness_check):
            evalharness_check({str(project.collapsed)!r}, "no_mode_collapse")

        def test_card(evalharness_score):
            assert evalharness_score({str(project.collapsed)!r}).verdict == "healthy"
        """
    )
    result = run(session, "--junitxml=j.xml", checkpoint=project.collapsed)
    result.assert_outcomes(passed=1, failed=4, skipped=2)
    text = result.stdout.str()
    failures = [failure.text or "" for failure in ET.parse(session.path / "j.xml").getroot().iter("failure")]
    first = re.search(r"its card: see (.*) above; report: (.*)", text)
    assert first is not None
    assert text.count(CARD) == "".join(failures).count(CARD) == 1
    assert text.count(first[0]) == 3
    assert first[1].endswith(".py::test_check")
    assert text.index(CARD) < text.index(first[0])
    assert f"report       {first[2]}" in text


def test_where_there_is_room_for_a_line_a_failure_is_told_in_one(
    session: pytest.Pytester, project: Project, monkeypatch: pytest.MonkeyPatch, golden_text
) -> None:
    monkeypatch.setenv("CI", "true")  # pytest's short summary shortens nothing there
    checks = "--evalharness-checks=no_mode_collapse,ends_by_itself"
    result = run(session, "--junitxml=j.xml", checks, checkpoint=project.collapsed)
    text = result.stdout.str()
    assert text.count(CARD) == 1
    assert text.index("short test summary info") > text.index(CARD)
    messages = [failure.get("message") or "" for failure in ET.parse(session.path / "j.xml").getroot().iter("failure")]
    assert len(messages) == 2
    for message in messages:
        assert "\n" not in message
        golden_text(message)
        assert f" - {message}\n" in text


def test_a_card_that_an_expected_failure_hides_is_shown_by_the_next(session: pytest.Pytester, project: Project) -> None:
    session.makepyfile(
        f"""
        import pytest

        @pytest.mark.xfail
        def test_known(evalharness_check):
            evalharness_check({str(project.collapsed)!r}, "no_mode_collapse")

        def test_new(evalharness_check):
            evalharness_check({str(project.collapsed)!r}, "no_mode_collapse")
        """
    )
    result = run(session)
    result.assert_outcomes(failed=1, xfailed=1)
    assert CARD in result.stdout.str()


def test_all_checks_that_fail_are_told_with_one_card(session: pytest.Pytester, project: Project, golden_text) -> None:
    session.makepyfile(
        f"""
        def test_it(evalharness_check):
            named = "not_contaminated", "no_mode_collapse", "loss_is_honest", "ends_by_itself"
            evalharness_check({str(project.collapsed)!r}, *named, "pass_rate_not_below_baseline", baseline="b.json")

        def test_skipped(evalharness_check):
            evalharness_check({str(project.collapsed)!r}, "loss_is_honest", "not_contaminated")
        """
    )
    session.path.joinpath("b.json").write_text("{}")
    result = run(session)
    result.assert_outcomes(failed=1, skipped=1)
    text = result.stdout.str()
    golden_text(lines_with("does not hold", told(text)))
    golden_text(lines_with("pass_rate_not_below_baseline", told(text)))
    assert "loss_is_honest does not hold" not in text
    assert text.count(CARD) == text.count("the worst completion") == 1


def test_a_skip_in_a_junit_file_has_no_line(session: pytest.Pytester, project: Project, golden_text) -> None:
    result = run(session, "--junitxml=j.xml", "-rs", "--evalharness-checks=not_contaminated", checkpoint=project.sound)
    skipped = ET.parse(session.path / "j.xml").getroot().find(".//skipped")
    assert skipped is not None
    golden_text(str(skipped.text))
    assert "None" not in result.stdout.str()


def test_a_baseline_that_is_not_renewed_is_told(session: pytest.Pytester, project: Project, golden_text) -> None:
    options = ["--evalharness-baseline=new.json", "--evalharness-update-baseline"]
    missed = run(session, *options, "-k", "collapse", checkpoint=project.sound)
    assert not session.path.joinpath("new.json").exists()
    golden_text(lines_with("no baseline was written", missed.stdout.str()))
    written = run(session, *options, "-k", "baseline", "-n", "1", checkpoint=project.sound)
    assert session.path.joinpath("new.json").exists()
    assert "no baseline was written" not in written.stdout.str()
