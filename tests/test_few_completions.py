"""A diagnosis alone makes few completions, and fewer with a large model."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalharness import pipeline
from evalharness.pipeline import diagnosing


class Stages:
    """The stages that were begun, with the number of their pieces."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}

    def say(self, line: str) -> None:
        pass

    def stage(self, name: str, total: int) -> None:
        self.totals[name] = total

    def advance(self) -> None:
        pass


@pytest.mark.parametrize(("large", "completions"), [(10**9, 3), (0, 2)])
def test_a_large_model_completes_fewer_problems(model_folder: Path, monkeypatch, tmp_path: Path, large, completions):
    monkeypatch.chdir(model_folder.parent)
    monkeypatch.setattr(diagnosing, "LARGE", large)
    monkeypatch.setattr(diagnosing, "FEW_OF_LARGE", 2)
    stages = Stages()
    asked = {"problems": ("mine/own.jsonl",), "max_new_tokens": 8, "out": tmp_path}
    pipeline.diagnose(model_folder, asked, stages)
    assert stages.totals["completing"] == completions
