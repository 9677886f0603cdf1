"""What the plugin makes of pytest's arguments, folders and settings, in sessions as a user starts them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from plugin_sessions import QUICK, run, told
from scored_folder import Project

pytestmark = pytest.mark.xdist_group("scored project")

ONE = "--evalharness-checks=loss_is_honest"


@pytest.fixture
def own(session: pytest.Pytester, project: Project) -> pytest.Pytester:
    """A project with a checkpoint in it that its ini file names, one test, and no word of trust."""
    ini = project.ini.replace("evalharness_trust = true\n", "").replace(str(project.folder / "reports"), "reports")
    session.path.joinpath("pytest.ini").write_text(f"{ini}evalharness_checkpoint = models/m\n")
    shutil.copytree(project.sound, session.path / "models" / "m")
    session.mkdir("tests").joinpath("test_mine.py").write_text("def test_mine(): pass\ndef test_other(): pass\n")
    return session


def test_in_a_sub_folder_the_project_is_the_working_folder(
    own: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("tests")
    result = run(own, *QUICK, ONE)
    result.assert_outcomes(passed=3)
    text = result.stdout.str()
    assert "../models/m: " in text
    report = next(word for word in text.split() if word.endswith("report.md"))
    assert report.startswith("../reports/checks/")
    assert Path(report).is_file()


def test_paths_of_options_begin_where_pytest_was_started(
    own: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, golden_text
) -> None:
    monkeypatch.chdir("models")
    run(own, "--collect-only", checkpoint=Path("m")).assert_outcomes()
    wrong = run(own, "--collect-only", checkpoint=Path("models/m"))
    golden_text(wrong.stderr.str())


def test_a_test_that_goes_elsewhere_changes_no_path_and_no_trust(own: pytest.Pytester) -> None:
    own.path.joinpath("tests", "test_mine.py").write_text(
        """
def test_it(evalharness_check, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evalharness_check("models/m", "loss_is_honest", limit=2, samples=0)
"""
    )
    run(own, "tests/test_mine.py").assert_outcomes(passed=1)


def test_what_lies_outside_is_refused_and_the_option_is_called_by_its_name(
    own: pytest.Pytester, project: Project, golden_text
) -> None:
    result = run(own, *QUICK, ONE, checkpoint=project.sound)
    result.assert_outcomes(passed=2, failed=1)
    golden_text(told(result.stdout.str()))


def test_an_ini_file_to_which_only_an_option_leads_makes_no_working_folder(
    own: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, golden_text
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    result = run(own, *QUICK, ONE, "--evalharness-checkpoint", str(own.path / "models" / "m"))
    assert f"rootdir: {own.path}" in result.stdout.str()
    result.assert_outcomes(failed=1)
    golden_text(told(result.stdout.str()))


@pytest.mark.parametrize(
    ("arguments", "checks"),
    [
        ((), 5),
        (("tests",), 5),
        (("tests/test_mine.py",), 0),
        (("tests/test_mine.py::test_mine", "tests/test_mine.py::test_other"), 0),
        (("tests/test_mine.py", "--evalharness-checkpoint=models/m"), 5),
    ],
)
def test_files_and_ids_leave_out_the_checks_of_the_ini_file(
    own: pytest.Pytester, arguments: tuple[str, ...], checks: int
) -> None:
    text = run(own, "--collect-only", "-q", *arguments).stdout.str()
    assert text.count("models/m::") == checks
    assert text.count("::test_") == 2


def test_an_id_as_it_is_printed_runs_that_check_alone(own: pytest.Pytester, golden_text) -> None:
    twice = ["models/m::loss_is_honest", "models/m::ends_by_itself"]
    text = run(own, "--collect-only", "-q", *twice).stdout.str()
    assert [line for line in text.splitlines() if "::" in line] == twice
    beside = run(own, *QUICK, "models/m::loss_is_honest", "tests/test_mine.py::test_mine", checkpoint=Path("models/m"))
    beside.assert_outcomes(passed=2)
    wrong = run(own, "models/m::loss_is_onest")
    golden_text(wrong.stderr.str())


def test_an_id_as_it_is_printed_is_known_in_a_sub_folder_and_to_workers(
    own: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("tests")
    run(own, *QUICK, "models/m::loss_is_honest", "-n", "1").assert_outcomes(passed=1)


def test_a_checkpoint_that_is_given_twice_is_taken_once(own: pytest.Pytester) -> None:
    again = ["--evalharness-checkpoint=models/m", "--evalharness-checkpoint=models/../models/m/"]
    text = run(own, "--collect-only", "-q", *again).stdout.str()
    assert text.count("models/m::loss_is_honest") == 1


@pytest.mark.parametrize(
    ("option", "ini", "environment"),
    [("--evalharness-limit=0", "", ""), ("-q", "evalharness_limit = 0", ""), ("-q", "evalharness_limit = 3", "0")],
    ids=["option", "ini", "environment"],
)
def test_a_setting_is_called_as_it_was_given(
    own: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, option: str, ini: str, environment: str, golden_text
) -> None:
    monkeypatch.setenv("EVALHARNESS_LIMIT", environment)
    with own.path.joinpath("pytest.ini").open("a") as file:
        file.write(f"{ini}\n")
    golden_text(run(own, option).stderr.str())


WRONG = [
    "'models/m', samples='x'",
    "'models/m', limit=0",
    "'models/m', temperature=True",
    "'models/m', problems=3",
    "'models/m', sandbox=1",
    "'models/m', baseline=3",
    "'models/m', level='low'",
    "None",
    "'models/m', ['no_mode_collapse']",
]


def test_a_value_of_a_wrong_type_in_a_test_is_one_line(own: pytest.Pytester, golden_text) -> None:
    lines = [f"def test_{i}(evalharness_check): evalharness_check({wrong})" for i, wrong in enumerate(WRONG)]
    own.path.joinpath("tests", "test_mine.py").write_text("\n".join(lines))
    result = run(own, "tests/test_mine.py")
    result.assert_outcomes(failed=len(WRONG))
    text = result.stdout.str()
    golden_text(told(text))
    assert "Error" not in text
    assert "session.py" not in text


def test_a_setting_in_a_test_may_be_a_list_or_a_path(own: pytest.Pytester) -> None:
    own.path.joinpath("tests", "test_mine.py").write_text(
        f"""
from pathlib import Path

def test_it(evalharness_score):
    problems = [Path({str(own.path / "own.jsonl")!r})]
    card = evalharness_score(Path("models/m"), problems=problems, limit=2, samples=1, k=[1], temperature=1)
    assert card.pass_at_k["own"]["greedy"].keys() == {{"1"}}
"""
    )
    shutil.copy(next(own.path.parent.glob("project*")) / "own.jsonl", own.path)
    run(own, "tests/test_mine.py").assert_outcomes(passed=1)
