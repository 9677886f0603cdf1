"""The records of the shipped pair, scored at five steps each: ``docs/examples`` has them in one archive."""

from __future__ import annotations

import atexit
import shutil
import tarfile
import tempfile
from functools import cache
from pathlib import Path

from small_folder import ROOT

from evalharness import Scorecard
from evalharness.runs import scorecard_json

EXAMPLES = ROOT / "docs" / "examples"


def example_card(name: str) -> Scorecard:
    """The scorecard that stands in the repository for ``leaky`` or ``causal``."""
    return scorecard_json.from_json((EXAMPLES / name / "step_1000/scorecard.json").read_text(encoding="utf-8"))


@cache
def shipped_records() -> Path:
    """A folder with ``leaky`` and ``causal``, unpacked once a process. Copy what a test would change."""
    folder = Path(tempfile.mkdtemp(prefix="shipped-records-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with tarfile.open(EXAMPLES / "records.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder
