"""``runs/`` alone knows what the files of a run folder are called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import evalharness
from evalharness.runs import paths

PACKAGE = Path(evalharness.__file__).parent
OWN = {
    *(paths.SCORECARD, paths.REPORT, paths.EXAMPLES, paths.ROW_LOSSES, paths.RUN_RECORD, paths.LOGGED_LOSSES),
    *(paths.STAMP, paths.OWNER, paths.TURN_LOCK, paths.COMPLETIONS_PATTERN, "completions/", "executions/", "analyses/"),
}
OTHERS = {"training_log/discovery.py": {paths.LOGGED_LOSSES}, "training_log/reading.py": {paths.LOGGED_LOSSES}}
"""The usual names of a training loop's own log, which happen to be one of ours."""


def texts_in(file: Path) -> Iterator[str]:
    """Every string of a module that is no docstring."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_no_other_module_spells_the_name_of_a_file_of_a_run_folder():
    spelled = {}
    for file in PACKAGE.rglob("*.py"):
        name = file.relative_to(PACKAGE).as_posix()
        words = {own for text in texts_in(file) for own in OWN if own in text} - OTHERS.get(name, set())
        if words and not name.startswith("runs/"):
            spelled[name] = words
    assert spelled == {}


def test_the_test_would_find_a_name(tmp_path):
    (tmp_path / "x.py").write_text('"""report.md"""\npath = folder / "report.md"\n')
    assert list(texts_in(tmp_path / "x.py")) == ["report.md"]


@pytest.mark.parametrize(("step", "name"), [(500, "step_500"), (0, "step_0"), (None, "final")])
def test_a_step_is_in_the_name_of_its_folder(step, name):
    assert paths.step_folder(step) == name
    assert paths.step_in(Path("reports/tuned") / name) == step


def test_the_groups_of_a_folder_are_those_of_its_files_whatever_dots_their_problems_have(tmp_path):
    groups = [paths.Group("my.set", "greedy"), paths.Group("warmup", "sampled")]
    for group in groups:
        (tmp_path / group.completions).parent.mkdir(exist_ok=True)
        (tmp_path / group.completions).touch()
    assert paths.groups_in(tmp_path) == groups
