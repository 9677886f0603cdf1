"""Rows of a trainer are kept where its checkpoints are, unless the user's own manifest names data."""

import json

import pytest

from evalharness.errors import EvalHarnessError, ManifestError
from evalharness.pipeline import keep_data, trainer_data
from evalharness.settings.manifest import find_manifest

ROWS = [[i, i + 1, i + 2] for i in range(40)]


def collate(rows):
    return {"input_ids": rows, "labels": [[-100, *row[1:]] for row in rows]}


def kept(folder, name="train"):
    lines = (folder / trainer_data.FOLDER / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_manifest_names_the_rows_as_they_were_collated(tmp_path):
    manifest = keep_data(tmp_path / "out", {"train": ROWS, "validation": ROWS[:2]}, collate)
    assert manifest == tmp_path / "out" / "evalharness.toml"
    data = find_manifest(tmp_path / "out" / "checkpoint-10").data
    assert (data.train.name, data.validation.name) == ("train.jsonl", "validation.jsonl")
    assert data.train.is_file()
    assert kept(tmp_path / "out")[3] == {"row": 3, "of": 40, "input_ids": [3, 4, 5], "labels": [-100, 4, 5]}
    # The next training into the same folder has other rows.
    keep_data(tmp_path / "out", {"train": ROWS[5:]}, collate)
    assert kept(tmp_path / "out")[0]["input_ids"] == [5, 6, 7]
    assert find_manifest(tmp_path / "out").data.validation is None


def test_a_large_data_set_is_drawn_evenly_and_a_stream_from_its_beginning(tmp_path, monkeypatch):
    class Stream:
        def __iter__(self):
            return iter(ROWS)

    monkeypatch.setattr(trainer_data, "MOST_ROWS", 4)
    monkeypatch.setattr(trainer_data, "MOST_STREAMED", 4)
    keep_data(tmp_path, {"train": ROWS, "validation": Stream()}, collate)
    assert [(row["row"], row["of"]) for row in kept(tmp_path)] == [(0, 40), (10, 40), (20, 40), (30, 40)]
    assert [(row["row"], row["of"]) for row in kept(tmp_path, "validation")] == [(i, None) for i in range(4)]
    monkeypatch.setattr(trainer_data, "MOST_IDS", 9)
    keep_data(tmp_path, {"train": ROWS, "validation": Stream()}, collate)
    assert [len(kept(tmp_path, name)) for name in ("train", "validation")] == [3, 3]


def test_a_row_without_tokens_is_left_out_and_the_trainers_rows_stay_as_they_are(tmp_path):
    rows = [{"ids": [1, 2]}, {"ids": []}, {"ids": [3, 4, 5]}]
    keep_data(tmp_path, {"train": rows}, lambda batch: {"input_ids": [row.pop("ids") for row in batch]})
    assert [(row["row"], row["of"]) for row in kept(tmp_path)] == [(0, 3), (2, 3)]
    assert rows[2] == {"ids": [3, 4, 5]}


def test_rows_that_are_no_tokens_are_an_error_and_nothing_is_written(tmp_path):
    with pytest.raises(EvalHarnessError, match="pixels"):
        keep_data(tmp_path / "out", {"train": ROWS}, lambda batch: {"pixels": batch})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", [".", "out"])
def test_data_that_the_user_names_come_first(tmp_path, place):
    (tmp_path / "out").mkdir()
    own = tmp_path / place / "evalharness.toml"
    own.write_text('[data]\ntrain = "mine.jsonl"\n')
    assert keep_data(tmp_path / "out", {"train": ROWS}, collate) is None
    assert find_manifest(tmp_path / "out").data.train.name == "mine.jsonl"
    assert not (tmp_path / "out" / trainer_data.FOLDER).exists()


@pytest.mark.parametrize("place", [".", "out"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("evalharness.toml", "[score]\nsamples = 3\n"),
        ("pyproject.toml", "[tool.evalharness.loss]\ncount_prompt = true\n"),
    ],
)
def test_a_manifest_without_data_is_left_as_it_is_and_told_where_the_rows_are(tmp_path, place, name, text):
    (tmp_path / "out").mkdir()
    own = tmp_path / place / name
    own.write_text(text)
    with pytest.raises(ManifestError, match=r"train\.jsonl"):
        keep_data(tmp_path / "out", {"train": ROWS}, collate)
    assert own.read_text() == text
    assert find_manifest(tmp_path / "out").path == own
    assert len(kept(tmp_path / "out")) == 40


def test_a_project_that_only_says_how_to_score_does_so_for_these_checkpoints_too(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.evalharness.score]\nsamples = 3\n")
    keep_data(tmp_path / "out", {"train": ROWS}, collate)
    found = find_manifest(tmp_path / "out" / "checkpoint-1")
    assert found.score["samples"] == 3
    assert found.data.train is not None
