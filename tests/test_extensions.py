"""A package of somebody else, installed by pip: what it adds is used, and what is broken in it is said in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import their_package
from forked_command import run_forked
from golden_text import lines_with

from evalharness.runs import scorecard_json

RIGHT = {"about": "theirs/0", "their_text": "    return a + b\n"}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    return their_package.install(tmp_path_factory.mktemp("their package"))


@pytest.fixture
def run(site, tmp_path):
    """Run the command in an empty folder, with the package installed; ``mark`` there says that it was imported."""
    paths = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": paths, "THEIR_MARK": str(tmp_path / "mark")}
    return lambda *arguments: run_forked([*arguments], cwd=tmp_path, env=environment)


def lines_naming_the_package(text: str) -> list[str]:
    return [line for line in text.splitlines() if "of the package their-package" in line]


def test_a_log_is_read_by_their_reader_and_the_broken_one_is_named(run, tmp_path, golden_text):
    (tmp_path / "their.log").write_text("THEIR LOG\nafter 10 came 2.5\nafter 20 came 2.25\n")
    done = run("log", "their.log", "--json")
    assert done.returncode == 0, done.stderr
    assert [(p["step"], p["loss_nats"]) for p in map(json.loads, done.stdout.splitlines())] == [(10, 2.5), (20, 2.25)]
    golden_text(lines_with("their log", done.stderr))
    (line,) = lines_naming_the_package(done.stderr)
    golden_text(line)


def test_other_logs_are_read_as_ever(run, tmp_path):
    (tmp_path / "plain.jsonl").write_text('{"step": 1, "train_loss": 2.0}\n')
    assert json.loads(run("log", "plain.jsonl", "--json").stdout)["loss_nats"] == 2.0


def test_completions_are_read_by_their_reader_though_another_of_theirs_fails(run, tmp_path, golden_text):
    (tmp_path / "c.jsonl").write_text(json.dumps(RIGHT) + "\n")
    done = run("analyse", "c.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    (file,) = json.loads(done.stdout.splitlines()[-1])["files"]
    assert file["forms"] == {"their tool (from their-package)": 1}
    (note,) = [note for note in file["notes"] if "their-package" in note]
    golden_text(note)


def test_their_problems_are_judged_with_their_completions(run, tmp_path):
    wrong = {**RIGHT, "their_text": "    return a - b\n"}
    (tmp_path / "c.jsonl").write_text(json.dumps(RIGHT) + "\n" + json.dumps(wrong) + "\n")
    done = run("execute", "c.jsonl", "--problems", "theirs", "--k", "1", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["problems"], found["outcomes"]) == (1, {"passed": 1, "failed": 1})


def test_a_broken_problem_set_is_one_line_that_names_its_package(run, golden_text):
    done = run("score", "model.theirs", "--problems", "broken_set")
    assert done.returncode == 2
    (line,) = lines_naming_the_package(done.stderr)
    golden_text(line)
    assert "Traceback" not in done.stderr


def test_an_unknown_problem_set_is_refused_with_theirs_among_the_known(run, golden_text):
    done = run("score", "model.theirs", "--problems", "thiers")
    assert done.returncode == 2
    golden_text(lines_with("thiers", done.stderr))


def test_their_model_is_scored_and_what_their_probe_finds_names_the_package(run, tmp_path, golden_text):
    (tmp_path / "model.theirs").touch()
    done = run("score", "model.theirs", "--problems", "theirs", "--samples", "0", "--max-new-tokens", "8", "--json")
    assert done.returncode == 0, done.stderr
    card = scorecard_json.from_json(done.stdout)
    assert card.checkpoint.kind == "their kind of model"
    (finding,) = [finding for finding in card.findings if finding.package is not None]
    assert (finding.package, finding.probe) == ("their-package", "their_probe (from their-package)")
    (report,) = (tmp_path / "reports").rglob("report.md")
    golden_text(lines_with("their_probe", report.read_text()))
    golden_text(lines_with("loaded by", done.stderr))
    broken = [line for line in lines_naming_the_package(done.stderr) if "'broken'" in line]
    assert len(broken) == 2  # the model loader and the probe


def test_help_imports_nothing_of_theirs(run, tmp_path):
    assert run("--help").returncode == 0
    assert not (tmp_path / "mark").exists()
    (tmp_path / "c.jsonl").write_text(json.dumps(RIGHT) + "\n")
    run("analyse", "c.jsonl")
    assert (tmp_path / "mark").exists()


def test_a_path_that_is_no_checkpoint_names_the_loader_that_could_not_be_asked(run, tmp_path, golden_text):
    (tmp_path / "model.unknown").touch()
    done = run("score", "model.unknown")
    assert done.returncode == 2
    (line,) = lines_naming_the_package(done.stderr)
    golden_text(line)
