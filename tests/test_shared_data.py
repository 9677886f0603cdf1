from pathlib import Path

import pytest
from shared_data import mbpp_or_skip, shared


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the repository elsewhere, with data beside it, as the working folder."""
    (tmp_path / "shared" / "data").mkdir(parents=True)
    (tmp_path / "shared" / "data" / "of_the_copy.jsonl").touch()
    (tmp_path / "copy").mkdir()
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path


def test_data_beside_the_working_folder_is_found(copy):
    assert shared("data/of_the_copy.jsonl") == copy / "shared" / "data" / "of_the_copy.jsonl"
    assert shared("data/nowhere.jsonl") is None


def test_the_environment_names_mbpp_first(copy, monkeypatch):
    (copy / "mine.jsonl").touch()
    monkeypatch.setenv("EVALHARNESS_MBPP", str(copy / "mine.jsonl"))
    assert mbpp_or_skip() == copy / "mine.jsonl"


def test_mbpp_beside_the_working_folder_is_found_if_the_environment_names_nothing_that_is_there(copy, monkeypatch):
    (copy / "shared" / "data" / "mbpp.jsonl").touch()
    monkeypatch.setenv("EVALHARNESS_MBPP", "/nowhere/mbpp.jsonl")
    assert mbpp_or_skip().is_file()
    assert mbpp_or_skip() != Path("/nowhere/mbpp.jsonl")
