"""Two scored models for the tests of plugin and gate, which find them scored and load no torch."""

from __future__ import annotations

import subprocess

import pytest
from forked_command import run_forked
from gate_runs import Gate, InProcess
from scored_folder import Project, make_project


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Made and scored once; tests change nothing in it."""
    made = make_project(tmp_path_factory.mktemp("project"))
    for name in ("sound", "collapsed"):
        done = run_gate(made, name, "--save-baseline", f"{name}.json")
        assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def session(project: Project, pytester: pytest.Pytester) -> pytest.Pytester:
    """An empty folder from which the scored models are found, with pytest's ini file in it."""
    pytester.path.joinpath("pytest.ini").write_text(project.ini)
    return pytester


@pytest.fixture
def gate(project: Project) -> Gate:
    """Run ``evalharness gate`` in the project's folder, as a user would."""
    return lambda *arguments: run_gate(project, *arguments)


@pytest.fixture
def in_process(project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    """The same without a process of its own, which costs a second."""
    from evalharness.__main__ import main

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.chdir(project.folder)
        with pytest.raises(SystemExit) as ended:
            main(["gate", *project.options, *map(str, arguments)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def run_gate(project: Project, *arguments: object) -> subprocess.CompletedProcess[str]:
    return run_forked(["gate", *map(str, arguments), *project.options], cwd=project.folder)
