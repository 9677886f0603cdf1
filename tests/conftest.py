"""What tests of several folders share: a small model in a folder, as a user has one, and a way to run the command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from golden_text import GoldenText, folders_of, golden_file
from hypothesis import settings
from shared_data import mbpp_or_skip
from small_folder import Run, make_model_folder, runner

pytest_plugins = ["pytester"]
os.environ["HF_HUB_OFFLINE"] = "1"  # no test asks the hub itself: those of downloads have a stand-in
# How long one example takes says more of what else the machine does than of the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A folder with a user's own module, its weights, data, log and problems; the model is random and seeded."""
    return make_model_folder(tmp_path)


@pytest.fixture
def run(model_folder: Path) -> Run:
    """Run the command ``evalharness`` in the folder above the model's, as a user would."""
    return runner(model_folder.parent)


@pytest.fixture
def golden_text(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GoldenText:
    """Compare sentences for people word for word with ``tests/golden/``, see `GoldenText`."""
    tmp_path = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    folders = folders_of(tmp_path, tmp_path_factory.getbasetemp())
    return GoldenText(golden_file(request.path), request.node.name.partition("@")[0], folders)


@pytest.fixture(scope="session")
def mbpp_file() -> Path:
    """A local copy of mbpp.jsonl, which is never part of this repository."""
    return mbpp_or_skip()
