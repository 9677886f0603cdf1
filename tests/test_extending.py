"""The examples of ``docs/extending.md``, each written into a copy of the package and used there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent

import pytest
from documentation import PAGES, blocks
from small_folder import ROOT

PAGE = PAGES[ROOT / "docs" / "extending.md"]
EXAMPLES = blocks("python", PAGE)
(SETTING,) = (code.partition("\n")[2].rstrip() for code in EXAMPLES if code.startswith("# a field of ScoreOptions"))
FILES = {code.splitlines()[0].removeprefix("# "): code for code in EXAMPLES if code.startswith("# evalharness/")}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package that has every example as one file more."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "evalharness", folder / "evalharness", ignore=shutil.ignore_patterns("__pycache__"))
    for path, code in FILES.items():
        assert not (folder / path).exists(), "each is a new file"
        (folder / path).write_text(code, encoding="utf-8")
    declare(folder / "evalharness" / "settings" / "score.py", SETTING)
    return folder


def declare(file: Path, field: str) -> None:
    """Write a field below the last one of ``ScoreOptions``, and its type below the last one of ``ScoreSettings``."""
    options, settings = file.read_text(encoding="utf-8").split("\n\n\nclass ScoreSettings(")
    types, rest = settings.split("\n\n\n", maxsplit=1)
    named = field.split(" = ", maxsplit=1)[0]
    parts = f"{options}\n{indent(field, '    ')}", f"class ScoreSettings({types}\n    {named}", rest
    file.write_text("\n\n\n".join(parts), encoding="utf-8")


def python(copy: Path, *arguments: str, path: Sequence[Path] = ()) -> str:
    """Run Python in the copy's folder, with it (or ``path``) in place of the package, and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path or [copy]))}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_has_an_example_of_each() -> None:
    assert [str(Path(path).parent) for path in FILES] == [
        "evalharness/diagnosis/probes",
        "evalharness/training_log",
        "evalharness/completion_files",
        "evalharness/models/torch/projects",
        "evalharness/problems",
    ]


SET = """
from evalharness.settings.manifest_schema import schema
from evalharness.settings.score import resolve

print(resolve({}, {}, {"EVALHARNESS_MIN_P": "0.25"}).min_p)
print(resolve({"min_p": 0.5}, {}, {}).min_p)
print(schema()["properties"]["score"]["properties"]["min_p"]["default"])
"""


def test_a_setting_is_one_field_which_every_way_of_setting_it_knows(copy: Path) -> None:
    assert "--min-p" in python(copy, "-m", "evalharness", "score", "--help")
    assert "--evalharness-min-p" in python(copy, "-m", "pytest", "--help")
    assert python(copy, "-c", SET).split() == ["0.25", "0.5", "0.0"]


def test_a_form_of_training_log_is_one_file(copy: Path) -> None:
    (copy / "nll.txt").write_text("started\niter 10 nll 2.5\niter 10 val nll 2.75\niter 20 nll --\niter 30 nll 2.25,\n")
    read = python(copy, "-m", "evalharness", "log", "nll.txt", "--json")
    points = [
        (row["step"], row["split"], row["loss_nats"]) for row in map(json.loads, read.splitlines()) if "step" in row
    ]
    assert points == [(10, "train", 2.5), (10, "validation", 2.75), (30, "train", 2.25)]


def test_a_form_of_completions_file_is_one_file(copy: Path) -> None:
    (copy / "answers.jsonl").write_text(json.dumps({"question_id": "a", "answer": "\n" * 300}) + "\n")
    *_, summary = python(copy, "-m", "evalharness", "analyse", "answers.jsonl", "--json").splitlines()
    assert json.loads(summary)["files"][0]["forms"] == {"answers": 1}


PROPOSE = """
from pathlib import Path

import torch
from evalharness.models.torch.projects import Place, propose

Path("lab.py").write_text("class Net: pass")
torch.save({"net": {"weight": torch.zeros(2, 2)}, "sizes": {"width": 2}}, "a.lab.pt")
found = propose(Place(Path("a.lab.pt"), Path()))
print(found.factory, found.args["width"])
"""


def test_a_project_of_checkpoints_is_one_file(copy: Path) -> None:
    assert python(copy, "-c", PROPOSE).split() == ["lab.py:Net", "2"]


def test_a_problem_set_is_one_file_and_is_judged(copy: Path) -> None:
    solved = {"task_id": "arithmetic/add", "completion": "    return a + b\n"}
    failed = {"task_id": "arithmetic/subtract", "completion": "    return a\n"}
    (copy / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (solved, failed)))
    python(copy, "-m", "evalharness", "execute", "samples.jsonl", "--problems", "arithmetic", "--k", "1")
    rows = map(json.loads, (copy / "samples.jsonl_results.jsonl").read_text().splitlines())
    assert [row["passed"] for row in rows] == [True, False]


PROBED = """
from evalharness.diagnosis.catalogue import catalogue
from evalharness.diagnosis.data.no_tokenizer import NoTokenizer
from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.measured import Measured
from evalharness.diagnosis.subject import Split, Subject

(probe,) = [probe for probe in catalogue() if probe.name == "repeated_rows"]
rows = tuple(DataRow("", str(number % 50)) for number in range(100))
measured = Measured(Subject(model=None, tokenizer=NoTokenizer(8), train=Split(rows, (), "train.jsonl")))
print(probe.run(measured).evidence["copies"])
"""


def test_a_probe_is_one_file_and_is_in_the_catalogue(copy: Path) -> None:
    assert python(copy, "-c", PROBED) == "50\n"


LOAD = """
import json
from pathlib import Path

from evalharness.extensions import KINDS, extension_named, extensions

found = {group: ([e.name for e in extensions(group).loaded], extensions(group).faults) for group in KINDS}
checkpoint = extension_named("models", "letters").value.load(Path("m.letters"), step=7, device="cpu", dtype=None)
print(json.dumps({"found": found, "step": checkpoint.info.step, "scores": checkpoint.model.score([[1, 2, 3]])}))
"""


def test_a_package_with_the_pages_entry_points_and_examples_is_used(tmp_path: Path) -> None:
    groups = tomllib.loads(next(code for code in blocks("toml", PAGE) if "evalharness.models" in code))
    points = groups["project"]["entry-points"]
    info, package = tmp_path / "my_package-1.0.dist-info", tmp_path / "my_package"
    info.mkdir()
    package.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    lines = (f"[{group}]\n" + "".join(f"{name} = {at}\n" for name, at in of.items()) for group, of in points.items())
    (info / "entry_points.txt").write_text("".join(lines))
    for code in EXAMPLES:
        (package / Path(code.splitlines()[0]).name).write_text(code)
    found = json.loads(python(tmp_path, "-c", LOAD, path=(tmp_path, ROOT)))
    assert found["found"] == {group.removeprefix("evalharness."): [list(of), []] for group, of in points.items()}
    assert len(found["found"]) == 6
    assert found["step"] == 7
    assert len(found["scores"][0]) == 2
