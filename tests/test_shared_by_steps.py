"""What the steps of one run have in common is made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalharness import sandbox
from evalharness.diagnosis import DataRow, Split
from evalharness.pipeline import Choice, loading, run_series
from evalharness.pipeline.shared import Shared
from evalharness.records import Problem

PROBLEM = Problem("own/0", "def first(items):\n", "first", "    return items[0]\n", "def check(candidate): ...\n")


class Rows:
    """A file of data whose texts are counted as they are read."""

    def __init__(self, file: Path | None) -> None:
        self.read = 0
        self.split = Split((DataRow("", "text"),), (), "rows", self.texts, file=file)

    def texts(self) -> list[str]:
        self.read += 1
        return [PROBLEM.prompt + PROBLEM.canonical_solution]


def test_the_texts_of_a_file_are_searched_once_and_again_when_it_or_the_problems_change(tmp_path: Path):
    file = tmp_path / "rows.jsonl"
    file.write_text("{}\n")
    shared, first, second = Shared(), Rows(file), Rows(file)
    assert shared.whole_texts(first.split, [PROBLEM]) == shared.whole_texts(second.split, [PROBLEM])
    assert (first.read, second.read) == (1, 0)
    shared.whole_texts(second.split, [])
    assert second.read == 1
    file.write_text("{}\n{}\n")
    shared.whole_texts(second.split, [PROBLEM])
    assert second.read == 2


def test_texts_that_are_in_no_file_are_read_each_time():
    shared, rows = Shared(), Rows(None)
    for _ in range(2):
        shared.whole_texts(rows.split, [PROBLEM])
    assert rows.read == 2


def test_a_run_calibrates_once(model_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(model_folder.parent)
    weights = (model_folder / "model.pt").read_bytes()
    for step in (10, 20, 30):
        (model_folder / f"step_{step}.pt").write_bytes(weights)
    (model_folder / "model.pt").unlink()
    calibrated = []
    calibrate = sandbox.Sandbox.calibrate
    monkeypatch.setattr(
        sandbox.Sandbox, "calibrate", lambda self, *given: calibrated.append(1) or calibrate(self, *given)
    )
    asked = {"problems": ("mine/own.jsonl",), "samples": 0, "max_new_tokens": 8}
    result = run_series(model_folder, asked, Choice())
    assert sorted(result.scorecards) == [10, 20, 30]
    assert len(calibrated) == 1
    assert len({card.programs.cpu_limit_s for card in result.scorecards.values()}) == 1


def test_rows_are_encoded_once_and_again_when_the_file_or_the_way_to_read_it_changes(tmp_path: Path):
    file, encoded = tmp_path / "rows.jsonl", []
    file.write_text("{}\n")

    def read() -> Split:
        encoded.append(1)
        return Split((), (), "rows")

    shared = Shared()
    assert shared.split(file, "one way", read) is shared.split(file, "one way", read)
    assert len(encoded) == 1
    shared.split(file, "another way", read)
    shared.split(file, "one way", read)
    assert len(encoded) == 2
    file.write_text("{}\n{}\n")
    shared.split(file, "one way", read)
    assert len(encoded) == 3


def test_a_run_encodes_its_data_once(model_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(model_folder.parent)
    weights = (model_folder / "model.pt").read_bytes()
    for step in (10, 20):
        (model_folder / f"step_{step}.pt").write_bytes(weights)
    (model_folder / "model.pt").unlink()
    read, load_rows = [], loading.load_rows
    monkeypatch.setattr(loading, "load_rows", lambda path, *given: read.append(path.name) or load_rows(path, *given))
    options = {"problems": ("mine/own.jsonl",), "limit": 1, "samples": 0, "k": (1,), "max_new_tokens": 8}
    result = run_series(Path("mine"), options, Choice())
    assert sorted(result.scorecards) == [10, 20]
    assert read == ["val.jsonl"]
