"""One score looks for its checkpoint once, and reads what lies beside the weights once."""

from __future__ import annotations

import cProfile
import json
import pstats
import shutil
from pathlib import Path

import pytest

from evalharness.models.torch import sidecars
from evalharness.pipeline import score, score_once

STEPS = (10, 20, 30)


@pytest.fixture
def series(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three steps, each with a sidecar, as training loops write them."""
    for step in STEPS:
        shutil.copy(model_folder / "model.pt", model_folder / f"ckpt_{step}.pt")
        (model_folder / f"meta_{step}.json").write_text(json.dumps({"step": step, "val_loss": 1.0}))
    (model_folder / "model.pt").unlink()
    monkeypatch.chdir(model_folder.parent)
    return model_folder


def calls(profile: cProfile.Profile) -> dict[str, int]:
    """How often each function of this project was called, by file and name."""
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    return {f"{Path(file).name}:{name}": count for (file, _, name), (_, count, *_) in stats.items()}


@pytest.mark.parametrize("path", ["mine", "mine/ckpt_20.pt"])
@pytest.mark.parametrize("scoring", [score, score_once])
def test_a_score_searches_once_and_reads_each_sidecar_at_most_once(series, monkeypatch, path, scoring):
    read: list[Path] = []
    really_read = sidecars._read
    monkeypatch.setattr(sidecars, "_read", lambda file: read.append(file.resolve()) or really_read(file))
    with cProfile.Profile() as profile:
        scoring(path, {"problems": ("mine/own.jsonl",), "samples": 0, "max_new_tokens": 4})
    counted = calls(profile)
    assert counted["locate.py:locate"] == 1
    assert counted["locate.py:find_series"] <= 2, "the path itself, and the folder that it lies in"
    assert len(read) == len(set(read))
    assert {series / f"meta_{step}.json" for step in STEPS} <= set(read)
