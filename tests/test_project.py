"""What the project promises of itself: its two commands, its pages, its versions, its examples."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from documentation import PAGES, README, WORDS, anchors, blocks, relative_links
from shipped_records import EXAMPLES, example_records
from small_folder import ROOT

from evalharness.runs import scorecard_json

TOP = ROOT / "evalharness"


def test_the_readme_begins_with_two_commands() -> None:
    first, second = (code.splitlines() for code in blocks("bash", README)[:2])
    assert first[0].endswith("-m venv .venv")
    assert first[-1].endswith("evalharness score checkpoints/leaky")
    assert second[-1].endswith("tox")
    assert max(map(len, first + second)) <= 80, "they fit a page"


def test_ci_runs_the_readmes_test_command_as_it_stands() -> None:
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").endswith(blocks("bash", README)[1])


def test_the_readme_is_short_and_has_one_picture() -> None:
    assert len(README.splitlines()) <= 160
    assert len(re.findall(r"!\[[^]]*\]\(", README)) == 1


LINKING = [*PAGES, *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "reports/README.md"))]


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_or_a_heading_resolves(page: Path) -> None:
    for target, anchor in relative_links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), (target, anchor)


def test_everything_that_the_pages_call_by_its_path_is_there() -> None:
    named = re.findall(r"`((?:evalharness|benchmarks|docs|tests|checkpoints)/[\w./-]+?)(?:`| )", WORDS)
    assert named
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("code", [code for code in blocks("python") if "import " in code])
def test_what_the_documentation_imports_is_there(code: str) -> None:
    imports = [line.split("  #")[0] for line in code.splitlines() if re.match(r"(from|import) ", line)]
    exec("\n".join(imports), {})


def test_the_documentation_and_its_examples_are_small() -> None:
    files = [path for path in (ROOT / "docs").rglob("*") if path.is_file() and "_build" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 3_700_000


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
def test_a_score_in_a_clone_changes_no_file_that_is_committed() -> None:
    tracked = subprocess.run(["git", "ls-files", "reports"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert tracked.stdout.split() == ["reports/README.md"]
    ignored = ["git", "check-ignore", "-q", "reports/leaky/step_1000/report.md"]
    assert subprocess.run(ignored, cwd=ROOT, check=False).returncode == 0


def test_the_package_has_at_most_24_entries() -> None:
    assert len([path for path in TOP.iterdir() if path.name != "__pycache__"]) <= 24


PARALLEL = {
    "card.py": "the command, and the card that a score prints",
    "gate.py": "the command, and its settings",
    "huggingface.py": "models of transformers, and its trainer",
    "mlflow.py": "a reader of its logs, and where scores are logged",
    "options.py": "the settings as options of the command line, and of pytest",
    "preflight.py": "the command, and what it runs",
    "reading.py": "readers of training logs, and of completion files",
    "score.py": "the command, and its settings",
    "tensorboard.py": "a reader of its logs, and where scores are logged",
    "view.py": "the command, and what programs see of the machine",
}
"""File names that may stand in several folders, because they are the same thing there."""


def test_no_other_two_files_of_the_package_have_one_name() -> None:
    names = Counter(path.name for path in TOP.rglob("*.py") if path.name != "__init__.py")
    assert {name for name, times in names.items() if times > 1} <= PARALLEL.keys()


def test_tox_installs_what_the_extra_for_the_documentation_names() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    assert set(extras["docs"]) <= set(tox["testenv:docs"]["deps"].split())


def test_torch_is_pinned() -> None:
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def test_every_program_that_measures_can_be_imported() -> None:
    folder = ROOT / "benchmarks"
    imports = f"import glob, runpy; [runpy.run_path(path) for path in glob.glob('{folder}/*.py')]"
    command = [sys.executable, "-c", imports]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.xdist_group("kept together")
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="there are no groups without workers")
def test_pytest_and_xdist_keep_groups_of_tests_together(request: pytest.FixtureRequest) -> None:
    # Where a pair of versions does not, nothing fails: what a group shares is made by every worker.
    assert request.node.nodeid.endswith("@kept together")


@pytest.mark.parametrize("name", ["leaky", "causal", "leaky_run", "causal_run", "collapsing_run", "taught_run"])
def test_the_committed_reports_are_of_the_committed_checkpoints(name: str) -> None:
    from evalharness.models.torch import load_checkpoint
    from evalharness.settings.manifest import find_manifest

    path = ROOT / "checkpoints" / name
    recorded = [
        *(EXAMPLES / name).glob("step_*/scorecard.json"),
        *(example_records() / name).glob("step_*/scorecard.json"),
    ]
    assert recorded
    for file in recorded:
        scored = scorecard_json.from_json(file.read_text(encoding="utf-8")).checkpoint
        loaded = load_checkpoint(path, find_manifest(path), step=scored.step, trust=True).info
        assert scored.fingerprint == loaded.fingerprint


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
def test_all_shipped_checkpoints_together_have_at_most_12_mb() -> None:
    command = ["git", "ls-files", "-z", "checkpoints"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    assert sum(file.stat().st_size for file in files if file.exists()) <= 12_000_000


def test_the_tables_of_the_pages_are_made_of_the_code() -> None:
    """If they are not: ``python docs/write_tables.py`` makes them again."""
    from write_tables import with_tables

    pages = {page.name: text for page, text in PAGES.items() if page.parent.name == "docs"}
    assert {name: with_tables(text) for name, text in pages.items()} == pages


def test_the_readmes_card_and_picture_are_made_of_the_committed_records() -> None:
    """If they are not: ``python docs/make_examples.py --renew`` makes them again."""
    from make_examples import with_card
    from make_picture import PICTURE, draw

    assert with_card(README) == README
    assert PICTURE.read_bytes() == draw()
