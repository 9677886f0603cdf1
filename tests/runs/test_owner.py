"""Records of one model are never put over those of another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalharness.errors import StoreError
from evalharness.runs import paths
from evalharness.runs.folder import RunFolder
from evalharness.runs.owner import Owner, claimed, folders_called, named, numbered, read_owner, run_folder


def claim(out: Path, name: str, owner: Owner, step: int | None = None) -> tuple[Path, list[str]]:
    """Where the records of an owner go, and what is said of it."""
    said: list[str] = []
    with claimed(out, name, paths.step_folder(step), owner, said.append) as folder:
        folder.write("scorecard.json", json.dumps({"by": owner.source}))
        return folder.path.relative_to(out), said


def alone(source: Path, fingerprint: str = "f") -> Owner:
    return Owner(str(source), str(source), fingerprint)


def old_scorecard(folder: Path, path: object, fingerprint: str, step: int | None, parameters: int | None = 9) -> None:
    """A score of the version before, which recorded no owner."""
    folder.mkdir(parents=True)
    info = {"path": str(path), "fingerprint": fingerprint, "step": step, "parameters": parameters}
    (folder / "scorecard.json").write_text(json.dumps({"checkpoint": info}))


def test_another_model_gets_another_name_and_is_told_so_in_one_line(tmp_path):
    assert claim(tmp_path, "a", alone(tmp_path / "x/a/model.pt", "f1")) == (Path("a/final"), [])
    place, said = claim(tmp_path, "a", alone(tmp_path / "y/a/model.pt", "f2"))
    assert place == Path("a-2/final")
    assert said == [f"{tmp_path / 'a'} holds the records of another model: writing to {tmp_path / 'a-2'} instead"]
    assert claim(tmp_path, "a", alone(tmp_path / "z/a/model.pt", "f3"))[0] == Path("a-3/final")
    first = json.loads((tmp_path / "a/final/scorecard.json").read_text())
    assert first == {"by": str(tmp_path / "x/a/model.pt")}


def test_each_model_comes_back_to_its_own_folder(tmp_path):
    owners = [alone(tmp_path / f"{n}/a/model.pt", n) for n in "xyz"]
    places = [claim(tmp_path, "a", owner)[0] for owner in owners]
    assert [claim(tmp_path, "a", owner)[0] for owner in owners] == places


def test_a_checkpoint_that_was_trained_further_replaces_its_own_score_and_says_so(tmp_path):
    claim(tmp_path, "a", alone(tmp_path / "a/model.pt", "before"))
    place, said = claim(tmp_path, "a", alone(tmp_path / "a/model.pt", "after"))
    assert place == Path("a/final")
    assert said == [f"{tmp_path / 'a/final'}: the checkpoint has changed since it was scored: replacing its score"]


def test_a_run_with_steps_of_another_source_is_no_place_for_a_step_that_it_lacks(tmp_path):
    series, other = str(tmp_path / "x/tuned"), str(tmp_path / "y/tuned")
    claim(tmp_path, "tuned", Owner(series, numbered(10), "f1"), 10)
    assert claim(tmp_path, "tuned", Owner(other, numbered(20), "f2"), 20)[0] == Path("tuned-2/step_20")
    assert claim(tmp_path, "tuned", Owner(series, numbered(20), "f3"), 20)[0] == Path("tuned/step_20")
    assert run_folder(tmp_path, "tuned", series) == tmp_path / "tuned"
    assert run_folder(tmp_path, "tuned", other) == tmp_path / "tuned-2"
    assert run_folder(tmp_path, "tuned", "third") == tmp_path / "tuned-3"
    assert list(folders_called(tmp_path, "tuned")) == [tmp_path / "tuned", tmp_path / "tuned-2"]


def test_two_checkpoints_of_a_series_whose_steps_are_not_known_share_no_folder_unless_one_is_a_copy(tmp_path):
    best, last, copy = (Owner(str(tmp_path), str(tmp_path / f), fp) for f, fp in (("b", "1"), ("l", "2"), ("c", "1")))
    assert claim(tmp_path, "a", best)[0] == Path("a/final")
    assert claim(tmp_path, "a", last)[0] == Path("a-2/final")
    assert claim(tmp_path, "a", copy)[0] == Path("a/final")


def test_a_folder_with_no_more_than_a_journal_has_an_owner_too(tmp_path):
    with claimed(tmp_path, "a", "final", alone(tmp_path / "x"), print) as folder, folder.journal("completions"):
        pass
    assert claim(tmp_path, "a", alone(tmp_path / "y", "other"))[0] == Path("a-2/final")


@pytest.mark.parametrize("given", ["series", "series/step_10.pt"])
def test_a_score_of_the_version_before_belongs_to_the_path_that_it_names(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    old_scorecard(tmp_path / "reports/series/step_10", given, "f", 10)
    own = Owner(str(tmp_path / "series"), numbered(10), "f after")
    assert claim(tmp_path / "reports", "series", own, 10)[0] == Path("series/step_10")


def test_a_score_of_the_version_before_is_not_replaced_by_another_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old_scorecard(tmp_path / "reports/series/step_10", "series", "f", 10)
    other = Owner(str(tmp_path / "elsewhere/series"), numbered(10), "another")
    assert claim(tmp_path / "reports", "series", other, 10)[0] == Path("series-2/step_10")


def test_converted_completions_are_replaced_by_those_of_the_same_files_alone(tmp_path):
    old_scorecard(tmp_path / "T0/final", "T0", "digest of A", None, parameters=None)
    same, other = (Owner(named("T0"), f"/{d}", f"digest of {d}") for d in "AB")
    assert claim(tmp_path, "T0", same)[0] == Path("T0/final")
    assert claim(tmp_path, "T0", other)[0] == Path("T0-2/final")


def test_a_broken_record_of_an_owner_is_none(tmp_path):
    claim(tmp_path, "a", alone(tmp_path / "x"))
    (tmp_path / "a/final/.journal/owner.json").write_text("{")
    assert read_owner(tmp_path / "a/final") is None


def test_a_folder_that_another_process_holds_is_refused_and_gets_no_other_name(tmp_path, golden_text):
    claim(tmp_path, "a", alone(tmp_path / "x"))
    with RunFolder(tmp_path / "a/final"), pytest.raises(StoreError) as error:
        claim(tmp_path, "a", alone(tmp_path / "x"))
    golden_text(error)
