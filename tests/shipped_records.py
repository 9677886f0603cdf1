"""Records of scored runs: an earlier score of the pair at five steps each, and the runs that the pages show."""

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
PAIR_RECORDS = ROOT / "tests" / "pair_records.tar.xz"
RUN_RECORDS = ROOT / "tests" / "run_records.tar.xz"


def example_card(name: str) -> Scorecard:
    """The scorecard that stands in the repository for ``leaky`` or ``causal``."""
    return scorecard_json.from_json((EXAMPLES / name / "step_1000/scorecard.json").read_text(encoding="utf-8"))


@cache
def shipped_records() -> Path:
    """A folder with ``leaky`` and ``causal``, unpacked once a process. Copy what a test would change."""
    return _unpacked(PAIR_RECORDS)


@cache
def example_records() -> Path:
    """A folder with each run that ships, likewise."""
    return _unpacked(RUN_RECORDS)


def _unpacked(archive: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="shipped-records-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder
